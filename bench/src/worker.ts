// A contender in a process of its own, asked over IPC. Whatever happens it does not outlive its parent.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { processFile } from './build.ts'
import { senderCommand } from './cores.ts'
import type { Answer, Asks, WorkerSetup } from './protocol.ts'

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

// What takes longer hangs.
const PATIENCE_MS = 600_000

export interface WorkerOptions {
  /** How many senders run beside each other, this one included. @default 1 */
  senders?: number | undefined
  /** The built worker process. @default this tree's */
  file?: string | undefined
}

/** Starts a contender in a process of its own; resolves when it is open. */
export async function startWorker(setup: WorkerSetup, options: WorkerOptions = {}): Promise<Worker> {
  const { senders = 1, file = processFile('worker') } = options
  const [command, args] = senderCommand(file, [JSON.stringify(setup)], senders)
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
