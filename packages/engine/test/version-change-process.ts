// Changes the version of an endpoint back and forth, until its input ends.
import Database from 'better-sqlite3'
import { fromBetterSqlite } from '@keepsend/outbox/sqlite'
import { createEngine, silentLogger } from '../src/index.ts'
import { catalog } from './catalog-versions.ts'

const [path = '', endpointId = ''] = process.argv.slice(2)
const connection = new Database(path)
connection.pragma('busy_timeout = 10000')
const engine = createEngine({
  db: fromBetterSqlite(connection),
  queue: { async send() {} },
  secrets: 'plaintext-for-development',
  logger: silentLogger,
  catalog,
})

const stopped = new AbortController()
process.stdin.on('close', () => stopped.abort())
process.stdin.resume()
for (let change = 0; !stopped.signal.aborted; change++) {
  const eventVersion = change % 2 === 0 ? '2026-01' : '2026-05'
  await engine.endpoints.update('w1', endpointId, { eventVersion })
  if (change === 0) console.log('changing')
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
}
connection.close()
