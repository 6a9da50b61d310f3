// A contender in a process of its own, asked over IPC. Whatever happens it does not outlive its parent.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { processFile } from './build.ts'
import type { Setup } from './contender.ts'
import { senderCommand } from './cores.ts'

/** What a worker can be asked, and what it answers. */
export interface Asks {
  seed: { ask: { events: number }; answer: undefined }
  start: { ask: undefined; answer: undefined }
  /** ms of CPU since `start`, taken before the stop. */
  stop: { ask: undefined; answer: { cpuMs: number } }
  left: { ask: undefined; answer: number }
  /** As `enqueue`, for so long. */
  warmUp: { ask: { ms: number; callers: number }; answer: undefined }
  /** Publishes so many, by so many callers that each await their own. */
  enqueue: { ask: { events: number; callers: number }; answer: { ms: number; cpuMs: number } }
  /** Publishes so many a second, whether they are sent or not; ids and when `publish` was called. */
  publish: { ask: { perSecond: number; events: number }; answer: [id: string, atMs: number][] }
  /** Peak memory of the process so far, in MB. */
  memory: { ask: undefined; answer: number }
  close: { ask: undefined; answer: undefined }
}

export type Request = { [Name in keyof Asks]: { number: number; name: Name; ask: Asks[Name]['ask'] } }[keyof Asks]

export interface Answer {
  number: number
  answer?: unknown
  error?: string
}

export interface Worker {
  ask<Name extends keyof Asks>(
    name: Name,
    ...ask: Asks[Name]['ask'] extends undefined ? [] : [Asks[Name]['ask']]
  ): Promise<Asks[Name]['answer']>
  /** Rejects when the process ends by itself. */
  readonly ended: Promise<never>
  /** Ends the process, at once. */
  kill(): Promise<void>
}

export interface WorkerSetup extends Setup {
  /** The contender's file in contenders/, without its ending. */
  file: string
}

// What takes longer hangs.
const PATIENCE_MS = 600_000

/** Starts a contender as one of so many senders; resolves when it is open. */
export async function startWorker(setup: WorkerSetup, senders = 1): Promise<Worker> {
  const [command, args] = senderCommand(processFile('worker'), [JSON.stringify(setup)], senders)
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  const exited = once(child, 'exit')
  const ended = once(child, 'close').then(([code, signal]) => {
    throw new Error(`${setup.file} ended with ${code ?? signal}: ${said}`)
  })
  // Whoever waits for it hears of it; nobody has to.
  ended.catch(() => undefined)
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)))
  const asked = new Map<number, (answer: Answer) => void>()
  child.on('message', (answer: Answer) => asked.get(answer.number)?.(answer))
  const answered = async (number: number): Promise<unknown> => {
    const { promise, resolve } = Promise.withResolvers<Answer>()
    asked.set(number, resolve)
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
    try {
      const { answer, error } = await Promise.race([promise, ended])
      if (error !== undefined) throw new Error(`${setup.file}: ${error}`)
      return answer
    } finally {
      clearTimeout(timer)
      asked.delete(number)
    }
  }
  let last = 0
  await answered(last)
  return {
    ended,
    async ask(name, ...[ask]) {
      const number = ++last
      const answer = answered(number)
      if (child.connected) child.send({ number, name, ask })
      return (await answer) as Asks[typeof name]['answer']
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
