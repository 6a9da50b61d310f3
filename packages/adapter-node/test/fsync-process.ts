// Commits to a file, says what the last commit was told, and dies before anything can be put right. Started by fsync.test.ts.
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
// Its answer is sent by then.
setImmediate(() => process.kill(process.pid, 'SIGKILL'))
