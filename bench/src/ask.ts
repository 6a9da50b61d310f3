// Requests to a process over IPC: both ends. The process never outlives the one that started it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** The requests that a process answers, by name, with their answers. */
export type AskTable<Asks> = { [Name in keyof Asks]: { ask: unknown; answer: unknown } }

export interface Asked<Asks extends AskTable<Asks>> {
  ask<Name extends keyof Asks & string>(
    name: Name,
    ...ask: Asks[Name]['ask'] extends undefined ? [] : [Asks[Name]['ask']]
  ): Promise<Asks[Name]['answer']>
  /** Rejects when the process ends by itself. */
  readonly ended: Promise<never>
  /** Ends the process, immediately. */
  kill(): Promise<void>
}

export type Handlers<Asks extends AskTable<Asks>> = {
  [Name in keyof Asks]: (ask: Asks[Name]['ask']) => Promise<Asks[Name]['answer']>
}

interface Request {
  number: number
  name: string
  ask: unknown
}

interface Answer {
  number: number
  answer?: unknown
  error?: string
}

// A request that takes longer has hung.
const PATIENCE_MS = 600_000

/** Starts a process that calls {@link answerAsks}; resolves when it is ready. `name` is for its errors. */
export async function startAsked<Asks extends AskTable<Asks>>(
  name: string,
  [command, args]: readonly [string, string[]],
): Promise<Asked<Asks>> {
  const child: ChildProcess = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  const exited = once(child, 'exit')
  const ended = once(child, 'close').then(([code, signal]) => {
    throw new Error(`${name} ended with ${code ?? signal}: ${said}`)
  })
  // A pending request rejects with it; without one it is ignored.
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
      if (error !== undefined) throw new Error(`${name}: ${error}`)
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
    async ask(what, ...[ask]) {
      const number = ++last
      const answer = answered(number)
      if (child.connected) child.send({ number, name: what, ask } satisfies Request)
      return answer
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** The other end: answers its parent's requests once `ready` has resolved, and ends when its parent does. */
export async function answerAsks<Asks extends AskTable<Asks>>(ready: () => Promise<Handlers<Asks>>): Promise<void> {
  const say = (answer: Answer): void => void process.send?.(answer)
  const inWords = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))
  process.once('disconnect', () => process.exit())
  try {
    const handlers = await ready()
    process.on('message', ({ number, name, ask }: Request) => {
      const handle: unknown = Reflect.get(handlers, name)
      const answering = async (): Promise<unknown> => {
        if (typeof handle !== 'function') throw new Error(`nothing answers ${name}`)
        return Reflect.apply(handle, handlers, [ask])
      }
      answering().then(
        (answer) => say({ number, answer }),
        (error: unknown) => say({ number, error: inWords(error) }),
      )
    })
    say({ number: 0 })
  } catch (error) {
    say({ number: 0, error: inWords(error) })
  }
}
