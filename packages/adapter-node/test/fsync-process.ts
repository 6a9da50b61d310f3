// Commits to a file, reports the result of the last commit, and dies before anything can be repaired. Started by fsync.test.ts.
import { openSqlite } from '../src/lib/database/open-sqlite.ts'

const db = openSqlite(process.argv[2] ?? '')
const run = (sql: string) => db.run({ sql, params: [] })
await run('create table kept (name text)')
await run("insert into kept values ('before')")
const told = await run("insert into kept values ('last')").then(
  () => 'ok',
  (error: unknown) => String((error as { code?: unknown }).code),
)
process.send?.(told)
// Its report is sent by then.
setImmediate(() => process.kill(process.pid, 'SIGKILL'))
