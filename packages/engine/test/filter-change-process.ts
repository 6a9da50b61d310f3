// Changes the filter of an endpoint back and forth, until its input ends.
import Database from 'better-sqlite3'
import { fromBetterSqlite } from '@keepsend/outbox/sqlite'
import { createEngine, silentLogger } from '../src/index.ts'

const [path = '', endpointId = ''] = process.argv.slice(2)
const connection = new Database(path)
connection.pragma('busy_timeout = 10000')
const engine = createEngine({
  db: fromBetterSqlite(connection),
  queue: { async send() {} },
  secrets: 'plaintext-for-development',
  logger: silentLogger,
})

const stopped = new AbortController()
process.stdin.on('close', () => stopped.abort())
process.stdin.resume()
for (let change = 0; !stopped.signal.aborted; change++) {
  const filter = { 'data.channel': change % 2 === 0 ? 'b' : 'a' }
  await engine.endpoints.update('w1', endpointId, { filter })
  if (change === 0) console.log('changing')
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
}
connection.close()
