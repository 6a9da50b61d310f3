import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import {
  type OutboxDatabase,
  OutboxError,
  type OutboxErrorCode,
  type SqlResult,
  type Statement,
  toSql,
} from '../src/index.ts'
import { rowsAs } from '../src/internal.ts'
import { sqliteDialect } from '../src/sqlite.ts'

/** A message to the other process; its response follows. */
export interface RivalRequest {
  number: number
  ask: 'open' | 'close' | 'run' | 'atomic'
  path: string
  statements: ReturnType<typeof toSql>[]
}

export interface RivalAnswer {
  number: number
  results?: SqlResult[]
  error?: { name: string; message: string; code: string | undefined }
}

/** A second process with connections of its own to the same files. */
export interface Rival {
  open(path: string): Promise<{ db: OutboxDatabase; close(): Promise<void> }>
  stop(): Promise<void>
}

export async function startRival(): Promise<Rival> {
  const child = fork(new URL('rival-process.ts', import.meta.url), { execArgv: ['--conditions=@keepsend/source'] })
  const exited = once(child, 'exit')
  await once(child, 'spawn')
  const ask = asker(child)
  return {
    async open(path) {
      await ask('open', path, [])
      const db: OutboxDatabase = {
        dialect: sqliteDialect,
        run<R extends object>(statement: Statement) {
          return rowsAs<R>(ask('run', path, [statement]).then(([result]) => result ?? { rows: [], changes: 0 }))
        },
        atomic: (statements) => ask('atomic', path, statements),
      }
      return { db, close: async () => void (await ask('close', path, [])) }
    },
    async stop() {
      child.disconnect()
      await exited
    },
  }
}

type Ask = (ask: RivalRequest['ask'], path: string, statements: readonly Statement[]) => Promise<SqlResult[]>

function asker(child: ChildProcess): Ask {
  const waiting = new Map<number, { resolve(results: SqlResult[]): void; reject(error: unknown): void }>()
  let last = 0
  child.on('message', (answer: RivalAnswer) => {
    const asked = waiting.get(answer.number)
    waiting.delete(answer.number)
    if (answer.error) asked?.reject(revive(answer.error))
    else asked?.resolve(answer.results ?? [])
  })
  child.on('exit', (code) => {
    for (const asked of waiting.values()) asked.reject(new Error(`the other process ended with ${code}`))
  })
  return (ask, path, statements) =>
    new Promise((resolve, reject) => {
      const number = ++last
      waiting.set(number, { resolve, reject })
      child.send({
        number,
        ask,
        path,
        statements: statements.map((one) => toSql(one, 'sqlite')),
      } satisfies RivalRequest)
    })
}

function revive({ name, message, code }: NonNullable<RivalAnswer['error']>): Error {
  if (name === 'OutboxError') return new OutboxError(code as OutboxErrorCode, message)
  return Object.assign(new Error(message), { code })
}
