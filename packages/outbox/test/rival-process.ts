// The other process: opens the files and runs the statements that it receives. Started by rival.ts.
import type Database from 'better-sqlite3'
import type { OutboxDatabase, SqlResult } from '../src/index.ts'
import { fromBetterSqlite } from '../src/sqlite.ts'
import { openFile } from './open.ts'
import type { RivalAnswer, RivalRequest } from './rival.ts'

const open = new Map<string, { connection: Database.Database; db: OutboxDatabase }>()

async function answer(request: RivalRequest): Promise<SqlResult[]> {
  if (request.ask === 'open') {
    const connection = openFile(request.path)
    open.set(request.path, { connection, db: fromBetterSqlite(connection) })
    return []
  }
  const opened = open.get(request.path)
  if (!opened) throw new Error(`${request.path} is not open`)
  if (request.ask === 'run') return Promise.all(request.statements.map((statement) => opened.db.run(statement)))
  if (request.ask === 'atomic') return opened.db.atomic(request.statements)
  open.delete(request.path)
  opened.connection.close()
  return []
}

process.on('message', (request: RivalRequest) => {
  answer(request).then(
    (results) => process.send?.({ number: request.number, results } satisfies RivalAnswer),
    (error: unknown) => {
      const { name, message, code } = error as Error & { code?: string }
      process.send?.({ number: request.number, error: { name, message, code } } satisfies RivalAnswer)
    },
  )
})
