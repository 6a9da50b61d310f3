// The process whose writes are recorded: it publishes, claims and settles through Keepsend, and writes down each promise
// that was kept in a file of marks, which the recording shows between the writes of the database. argv: the database, the
// file of marks, FULL or NORMAL, pages between two checkpoints, turns, a seed.
import { openSync, writeSync } from 'node:fs'
import { DurableEventQueue, migrate, openSqlite } from '@keepsend/adapter-node'
import { createEngine, newEventId, silentLogger } from '@keepsend/engine'
import { claimDueEvents } from '@keepsend/outbox'
import { createRandom } from '../random.ts'
import type { Mark } from './marks.ts'

const [file = '', marks = '', synchronous = '', checkpoint = '', turns = '', seed = ''] = process.argv.slice(2)
const random = createRandom(Number(seed))
const log = openSync(marks, 'a')
const mark = (one: Mark): void => void writeSync(log, JSON.stringify(one))

const db = openSqlite(file, { synchronous: synchronous === 'NORMAL' ? 'NORMAL' : 'FULL' })
db.connection.pragma(`wal_autocheckpoint = ${checkpoint}`)
await migrate(db)
db.connection.exec('create table changes (event_id text primary key) strict')
const engine = createEngine({
  db,
  queue: new DurableEventQueue({ db }),
  secrets: 'plaintext-for-development',
  logger: silentLogger,
})
const endpoints: string[] = []
for (const path of ['one', 'two']) {
  const { endpoint } = await engine.endpoints.create('proof', { url: `https://receiver.dev/${path}` })
  endpoints.push(endpoint.id)
}
mark({ ready: true, endpoints })

for (let turn = 0; turn < Number(turns); turn++) {
  const publishing = Array.from({ length: random.whole(1, 4) }, () => publish())
  await Promise.all([...publishing, random.next() < 0.6 ? work() : undefined])
  if (random.next() < 0.1) await engine.worker.maintain()
}
mark({ done: true })
// As it is, without a clean end: what lies in the files is compared with the recording.
process.kill(process.pid, 'SIGKILL')

/** A change of the host's and its event, in one unit. */
async function publish(): Promise<void> {
  const id = newEventId()
  const text = 'x'.repeat(random.whole(10, 1500))
  const writes = [{ sql: 'insert into changes (event_id) values (?)', params: [id] }]
  await engine.commit({ writes, events: [{ id, type: 'proof.step', workspaceId: 'proof', data: { text } }] })
  mark({ acknowledged: id })
}

/** A claim, and the settles of some of what it took; the rest comes again when its lease has ended. */
async function work(): Promise<void> {
  const { claims } = await claimDueEvents(db, { limit: random.whole(1, 6), leaseMs: 1000 })
  for (const { id, gen } of claims) mark({ claimed: id, gen })
  const finished = claims.filter(() => random.next() < 0.8)
  if (finished.length === 0) return
  const ids = finished.map(({ id }) => id)
  mark({ settling: ids })
  await engine.worker.settle(finished.map((claim) => ({ claim, outcome: { kind: 'complete', httpStatus: 200 } })))
  mark({ settled: ids })
}
