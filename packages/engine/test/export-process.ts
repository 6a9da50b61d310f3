// Exports a workspace with 100,000 failed deliveries, each with a payload of 1 kB, for test/export.slow.test.ts, which bounds the heap of
// this process far below all payloads.
import { fromBetterSqlite } from '@keepsend/outbox/sqlite'
import Database from 'better-sqlite3'
import { createEngine, migrateEngine, silentLogger } from '../src/index.ts'

const connection = new Database(process.argv[2])
const db = fromBetterSqlite(connection)
await migrateEngine(db)
connection.exec(`
  insert into pending_events (id, workspace_id, event_type, endpoint_id, status, created_at, completed_at, last_error, payload)
  with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 100000)
  select printf('evt_01910000-0000-7000-8000-%012d.ep_1', n), 'w1', 'a', 'ep_1', 'failed', 1, 1, 'HTTP 400', printf('%.*c', 1000, 'x')
  from numbers`)
const engine = createEngine({
  db,
  queue: { async send() {} },
  secrets: 'plaintext-for-development',
  logger: silentLogger,
})
let last = ''
let characters = 0
for await (const line of engine.export('w1')) {
  characters += line.length
  last = line
}
process.stdout.write(JSON.stringify({ characters, end: JSON.parse(last) as unknown }))
