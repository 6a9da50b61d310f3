// The process whose writes are recorded: it publishes, claims and settles through Keepsend, and writes each promise
// into a file of marks, so that the recording has promises and writes in one order. argv: the database, the file of
// marks, FULL or NORMAL, pages between two checkpoints, turns, a seed.
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
  history: true,
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
// Without a clean end: the files are compared with the recording.
process.kill(process.pid, 'SIGKILL')

/** Commits a change of the host's and its event in one transaction. */
async function publish(): Promise<void> {
  const id = newEventId()
  const text = 'x'.repeat(random.whole(10, 1500))
  const writes = [{ sql: 'insert into changes (event_id) values (?)', params: [id] }]
  await engine.commit({ writes, events: [{ id, type: 'proof.step', workspaceId: 'proof', data: { text } }] })
  mark({ acknowledged: id })
}

/** Claims, and settles some of the claims; the others are due again when their lease expires. */
async function work(): Promise<void> {
  const { claims } = await claimDueEvents(db, { limit: random.whole(1, 6), leaseMs: 1000 })
  for (const { id, gen } of claims) mark({ claimed: id, gen })
  const finished = claims.filter(() => random.next() < 0.8)
  if (finished.length === 0) return
  const ids = finished.map(({ id }) => id)
  mark({ settling: ids })
  await engine.worker.settle(
    finished.map((claim) => {
      const record = { startedAt: claim.claimedAt, tookMs: 1, url: 'https://receiver.dev/' }
      return { claim, outcome: { kind: 'complete', httpStatus: 200, record } }
    }),
  )
  mark({ settled: ids })
}
