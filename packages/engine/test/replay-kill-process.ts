// Makes one step of each replay job that is due, in a process that kills itself with SIGKILL before its statement n.
import Database from 'better-sqlite3'
import { fromBetterSqlite } from '@keepsend/outbox/sqlite'
import { createEngine, silentLogger } from '../src/index.ts'
import { dyingConnection } from './dying-connection.ts'

const [path = '', last = ''] = process.argv.slice(2)
let statements = 0
const step = <Result>(run: () => Result): Result => {
  if (statements++ === Number(last)) process.kill(process.pid, 'SIGKILL')
  return run()
}
const connection = new Database(path)
connection.pragma('synchronous = FULL')
connection.pragma('busy_timeout = 20000')
const engine = createEngine({
  db: fromBetterSqlite(dyingConnection(connection, step)),
  queue: { async send() {} },
  secrets: 'plaintext-for-development',
  history: true,
  logger: silentLogger,
})
await engine.worker.stepReplays({ batch: 4 })
// One more place to die in, after the last statement.
step(() => undefined)
console.log(`survived ${statements} statements`)
