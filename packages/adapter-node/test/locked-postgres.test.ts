import { applyMigrations } from '@keepsend/outbox/internal'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { postgresRig } from './postgres-rig.ts'
import { type Request, copies, startReceiver } from './receiver.ts'
import { PATIENCE_MS } from './rig.ts'

async function session(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  onTestFinished(() => client.end())
  return client
}

it(
  'a row that another session locks is settled after its release, and all others are delivered meanwhile',
  { timeout: PATIENCE_MS },
  async () => {
    const open: Request[] = []
    const receiver = await startReceiver((request) => {
      if (open.push(request) > 1) request.answer()
    })
    const made = await postgresRig({ database: { lockTimeoutMs: 300 } })
    await made.addEndpoint(receiver.url)
    await made.queue.start(made.engine)
    const [locked] = await made.publish(1)
    await receiver.arrived(1)
    const other = await session(made.url)
    await other.query('begin')
    await other.query('select 1 from pending_events for update')
    open[0]?.answer()

    for (let round = 1; round <= 5; round++) {
      await made.publish(10)
      await receiver.arrived(1 + round * 10)
      await made.untilRows((rows) => rows.length === 1)
    }
    expect((await made.rows()).map(({ id }) => id.startsWith(locked ?? '?'))).toEqual([true])
    expect(made.log.messages.filter((one) => one.includes('locked by another session')).length).toBeGreaterThan(0)
    expect(made.log.messages.filter((one) => one.includes('database error'))).toEqual([])

    await other.query('rollback')
    await made.untilRows((rows) => rows.length === 0)
    expect([receiver.requests.length, new Set(copies(receiver.requests))]).toEqual([51, new Set([1])])
  },
)

it('a stop releases all rows except the one that another session locks', { timeout: PATIENCE_MS }, async () => {
  const receiver = await startReceiver(() => undefined)
  const made = await postgresRig({ database: { lockTimeoutMs: 300 } })
  await made.addEndpoint(receiver.url)
  await made.queue.start(made.engine)
  await made.publish(5)
  await receiver.arrived(5)
  const other = await session(made.url)
  await other.query('begin')
  await other.query('select 1 from pending_events order by id limit 1 for update')
  await made.queue.stop({ drainMs: 0 })
  const claimed = (await made.rows()).map(({ claimedAt }) => claimedAt !== null)
  expect(claimed).toEqual([true, false, false, false, false])
  await other.query('rollback')
})

it('a migration waits for another one longer than for any other lock', async () => {
  const made = await postgresRig({ database: { lockTimeoutMs: 100 } })
  const other = await session(made.url)
  await other.query('begin')
  await other.query("insert into keepsend_migrations (name, checksum, applied_at) values ('app/one', '', 1)")
  let isOver = false
  const migrating = applyMigrations(made.db, [{ name: 'app/one', sql: 'create table things (id text);\n' }]).finally(
    () => {
      isOver = true
    },
  )
  // Each of these is refused after 100 ms.
  for (let n = 0; n < 3; n++) {
    await expect(
      made.db.run({
        sql: "insert into keepsend_migrations (name, checksum, applied_at) values ('app/one', '', 2)",
        params: [],
      }),
    ).rejects.toMatchObject({ code: 'not_accepted' })
  }
  expect(isOver).toBe(false)
  await other.query('rollback')
  expect(await migrating).toEqual(['app/one'])
})
