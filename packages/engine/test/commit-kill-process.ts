// One commit, in a process that kills itself with SIGKILL: before statement n, counted from the first query of the commit
// (`statement:n`), or inside a statement, after it changed a row of a table (`row:table`).
import Database from 'better-sqlite3'
import { migrateOutbox } from '@keepsend/outbox'
import { fromBetterSqlite } from '@keepsend/outbox/sqlite'
import { createEngine, silentLogger } from '../src/index.ts'
import { killRequest } from './commit-kill.ts'
import { dyingConnection } from './dying-connection.ts'

const [path = '', where = ''] = process.argv.slice(2)
const [kind, what = ''] = where.split(':')
const die = () => process.kill(process.pid, 'SIGKILL')

const connection = new Database(path)
connection.pragma('journal_mode = WAL')
connection.pragma('synchronous = FULL')

let armed = false
let statements = 0
const step = <Result>(run: () => Result): Result => {
  if (armed && kind === 'statement' && statements++ === Number(what)) die()
  return run()
}
if (kind === 'row') {
  connection.function('die', die)
  connection.exec(`create temp trigger dying after insert on ${what} begin select die(); end`)
}

const db = fromBetterSqlite(dyingConnection(connection, step))
await migrateOutbox(db)
const engine = createEngine({
  db,
  queue: { async send() {} },
  secrets: 'plaintext-for-development',
  logger: silentLogger,
})
armed = true
await engine.commit(killRequest())
// The answer is known: one more place to die in, after the commit.
step(() => undefined)
console.log(`survived ${statements} statements`)
