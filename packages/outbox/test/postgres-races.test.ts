// Races that only a database with many concurrent writers can have. The contract has the promises of every database.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import {
  type Claim,
  type OutboxDatabase,
  type Outcome,
  claimDueEvents,
  cleanupOldEvents,
  cleanupPayloads,
  enqueueEvents,
  extendLease,
  failEvent,
  holdLaneStatement,
  lookAtLanes,
  newEventId,
  replayEvents,
  resumeStatement,
  settleEvents,
} from '../src/index.ts'
import { insertSelectStatements, raw, sqlText } from '../src/internal.ts'
import { closedGate } from './gate.ts'
import { DRIVER_NAMES, event, open } from './postgres.ts'
import type { ClockReport } from './postgres-clock-process.ts'

const DAY = 86_400_000

describe.each(DRIVER_NAMES)('concurrent claimers, by %s', (driver) => {
  it('16 claimers take each of 2,000 rows exactly once (trap 17)', { timeout: 60_000 }, async () => {
    const { db } = await open(driver, { max: 16 })
    const kept = await enqueueEvents(db, Array.from({ length: 2000 }, event))
    const taken = await Promise.all(
      Array.from({ length: 16 }, async () => {
        const ids: string[] = []
        for (;;) {
          const { claims } = await claimDueEvents(db, { limit: 25 })
          if (claims.length === 0) return ids
          ids.push(...claims.map(({ id }) => id))
        }
      }),
    )
    expect(taken.flat().sort()).toEqual(kept.map(({ id }) => id).sort())
    expect(taken.filter((ids) => ids.length > 0).length).toBeGreaterThan(1)
  })
})

describe('payloads that are stored once', () => {
  it(
    'every row has its own payload while receivers change and payloads are cleaned up',
    { timeout: 60_000 },
    async () => {
      const { db } = await open('pg', { max: 12 })
      await db.run({ sql: 'create table receivers (name text not null primary key)', params: [] })
      const done = new AbortController()
      const sent: string[] = []
      const come = async (own: number): Promise<void> => {
        for (let n = 0; !done.signal.aborted; n = (n + 1) % 6) {
          await db.run(sqlText`insert into receivers values (${`ep_${own}_${n}`}) on conflict do nothing`)
          if (n === 5) await db.run(sqlText`delete from receivers where name like ${`ep_${own}_%`}`)
        }
      }
      const publish = async (own: number): Promise<void> => {
        for (let n = 0; n < 150; n++) {
          const eventId = newEventId()
          const payload = `${eventId} ${n % 3 === 0 ? 'x'.repeat(2000) : own}`
          // Published again with another payload, while the first may be delivered already.
          for (const said of [payload, `${payload} again`]) {
            const { before, insert } = insertSelectStatements(
              db.dialect,
              { eventId, workspaceId: 'w', type: 't', payload: said },
              () => ({
                endpointId: raw('receivers.name'),
                maxAttempts: raw('3'),
                heldFor: raw('cast(null as text)'),
                from: raw('receivers where 1 = 1'),
              }),
            )
            await db.atomic([...before, insert])
          }
        }
      }
      const drain = async (): Promise<void> => {
        while (!done.signal.aborted) {
          const { claims } = await claimDueEvents(db, { limit: 20 })
          for (const { id, payload } of claims) sent.push(`${id.slice(0, 40) === payload.slice(0, 40)}`)
          await settleEvents(
            db,
            claims.map((claim) => ({ settle: 'complete', claim })),
          )
        }
      }
      const clean = async (): Promise<void> => {
        while (!done.signal.aborted) await cleanupPayloads(db, { batchSize: 10, now: Date.now() + sent.length * DAY })
      }
      const besides = [come(1), come(2), drain(), drain(), clean(), clean()]
      await Promise.all([publish(1), publish(2), publish(3)])
      done.abort()
      await Promise.all(besides)
      expect(sent.length).toBeGreaterThan(100)
      expect(new Set(sent)).toEqual(new Set(['true']))
      const lost = await db.run(sqlText`
      select id from pending_events as delivery where payload is null
        and not exists (select 1 from keepsend_payloads as stored where stored.id = delivery.payload_id)`)
      expect(lost.rows).toEqual([])
      // One more publish would still run when the test stopped.
      for (let more = true; more;) {
        const { claims } = await claimDueEvents(db, { limit: 1000 })
        await settleEvents(
          db,
          claims.map((claim) => ({ settle: 'complete', claim })),
        )
        more = claims.length > 0
      }
      // The first ends a pass that another cleaner left half-way; the second begins at the first payload.
      for (const days of [1e9, 2e9]) {
        const { more } = await cleanupPayloads(db, { now: Date.now() + days * DAY, budgetMs: 60_000 })
        expect(more).toBe(false)
      }
      const { rows } = await db.run<{ left: number }>(sqlText`select count(*) as "left" from keepsend_payloads`)
      expect(rows).toEqual([{ left: 0 }])
    },
  )
})

/** Locks the rows in another transaction, which has not changed them yet; `commit` runs a change and commits it. */
async function locked(host: pg.Pool): Promise<{ client: pg.PoolClient; commit(sql: string): Promise<void> }> {
  const client = await host.connect()
  await client.query('begin')
  await client.query('select id from pending_events for update')
  return {
    client,
    async commit(sql) {
      await client.query(sql)
      await client.query('commit')
      client.release()
    },
  }
}

const CHANGED = { status: 'pending', gen: 90 }
const CLOCK_RUNS = raw('(select ms from keepsend_clock) > 0')
const CHANGED_MEANWHILE: Record<
  string,
  { before: string; meanwhile: string; pick: (db: OutboxDatabase) => Promise<unknown>; careless: string }
> = {
  'a clean-up does not delete what a replay has just made pending': {
    before: "update pending_events set status = 'failed', gen = 1, due_at = null, ready = 0, completed_at = 1",
    meanwhile: "update pending_events set status = 'pending', gen = 90, due_at = 5000000000000, completed_at = null",
    pick: (db) => cleanupOldEvents(db),
    careless: `delete from pending_events where id in (
      select id from pending_events where completed_at < (select ms from keepsend_clock) limit 5)`,
  },
  'a resume does not resume a row that another has just resumed': {
    before: "update pending_events set status = 'held', endpoint_id = 'ep', gen = 1, due_at = null, ready = 0",
    meanwhile: "update pending_events set status = 'pending', gen = 90, due_at = 5000000000000",
    pick: (db) => db.run(resumeStatement(db, { endpointId: 'ep', limit: 5, guard: CLOCK_RUNS })),
    careless: `update pending_events set gen = gen + 1 where id in (
      select id from pending_events where status = 'held' and ${CLOCK_RUNS.sql} limit 5)`,
  },
  'a claim does not take what another has just claimed': {
    before: 'update pending_events set gen = 1, due_at = 1, ready = 0',
    meanwhile: 'update pending_events set gen = 90, due_at = 5000000000000',
    pick: (db) => claimDueEvents(db, { limit: 5 }),
    careless: `update pending_events set gen = gen + 1 where id in (
      select id from pending_events where due_at <= (select ms from keepsend_clock) limit 5)`,
  },
}

async function openFailed() {
  const opened = await open()
  await enqueueEvents(opened.db, [event()])
  const { claims } = await claimDueEvents(opened.db, { limit: 1 })
  const claim = claims[0] as Claim
  await failEvent(opened.db, claim, { error: 'e', now: Date.now() - 2 * DAY })
  return { ...opened, claim }
}

describe('rows that another transaction has locked', () => {
  it('are skipped by clean-up, replay, resume and claims, which do not wait', async () => {
    const { db, host, claim } = await openFailed()
    await enqueueEvents(db, [event()])
    const other = await locked(host)
    expect(await cleanupOldEvents(db)).toEqual({ deleted: 0, more: false })
    expect(await replayEvents(db, { ids: [claim.id] })).toEqual({ ids: [], more: false })
    expect((await claimDueEvents(db, { limit: 5 })).claims).toEqual([])
    const { lanes } = await lookAtLanes(db)
    expect(lanes).toHaveLength(1)
    for (const lane of lanes) {
      const hold = holdLaneStatement(db, { ...lane, reason: 'blocked', guard: raw('1 = 1') })
      expect(await db.run(hold)).toMatchObject({ changes: 0 })
    }
    await other.commit(
      "update pending_events set status = 'held', endpoint_id = 'ep', due_at = null, ready = 0, completed_at = null",
    )
    const again = await locked(host)
    const resume = resumeStatement(db, { endpointId: 'ep', limit: 1000 })
    expect((await db.run(resume)).rows).toEqual([])
    await again.commit('select 1')
    expect((await db.run(resume)).rows).toHaveLength(2)
  })

  it.each(Object.entries(CHANGED_MEANWHILE))(
    'and changed between the read and the lock are not changed again: %s',
    async (_, { before, meanwhile, pick, careless }) => {
      const { db, host } = await open()
      await enqueueEvents(db, [event()])
      await host.query(before)
      // Every statement reads with the snapshot of its start and then reads the clock, where it waits here.
      const meet = async (work: () => Promise<unknown>): Promise<void> => {
        const gate = await closedGate(host)
        await host.query(`create or replace view keepsend_clock as
          select 4000000000000 + length(${gate.pass}::text) as ms`)
        const working = work()
        await gate.waiting(1)
        await host.query(meanwhile)
        await gate.open()
        await working
      }
      const row = async () => (await host.query('select status, gen::integer from pending_events')).rows
      await meet(() => pick(db))
      expect(await row()).toEqual([CHANGED])

      // Control: the plain form does break the promise, so this test can fail.
      await host.query(before)
      await meet(() => host.query(careless))
      expect(await row()).not.toEqual([CHANGED])
    },
  )

  it('a heartbeat does not wait for a settle, and does not report its rows as lost', async () => {
    const { db, host } = await open()
    await enqueueEvents(db, Array.from({ length: 3 }, event))
    const { claims } = await claimDueEvents(db, { limit: 3 })
    const other = await locked(host)
    expect(await extendLease(db, claims, 300_000)).toEqual([])
    await other.commit('delete from pending_events')
    expect(await extendLease(db, claims, 300_000)).toEqual(claims)
  })

  it('heartbeats and settles of the same rows never deadlock, in any order', async () => {
    const { db } = await open('pg', { max: 8 })
    await enqueueEvents(db, Array.from({ length: 400 }, event))
    const { claims } = await claimDueEvents(db, { limit: 400 })
    const work = []
    for (let first = 0; first < 400; first += 40) {
      const some = claims.slice(first, first + 40)
      const mixed = some.map((claim, n): Outcome =>
        n % 2 ? { settle: 'complete', claim } : { settle: 'fail', claim, error: 'e' },
      )
      work.push(settleEvents(db, mixed.reverse()), extendLease(db, claims.toReversed(), 300_000))
    }
    const results = await Promise.all(work)
    expect(results.flatMap((one) => ('claimed' in one ? one.lost : []))).toEqual([])
  })
})

describe('two processes whose clocks are ten minutes apart', () => {
  it('lose no row, and no claim is settled by both', { timeout: 60_000 }, async () => {
    const { db, schema, host } = await open()
    const kept = await enqueueEvents(db, Array.from({ length: 300 }, event))
    const reports = await Promise.all(
      [0, 600_000].map(async (aheadMs) => {
        const child = fork(new URL('postgres-clock-process.ts', import.meta.url), [schema.url, String(aheadMs)], {
          execArgv: ['--conditions=@keepsend/source'],
        })
        const [report] = (await once(child, 'message')) as [ClockReport]
        await once(child, 'exit')
        return report
      }),
    )
    expect(Math.abs((reports[1]?.clock ?? 0) - (reports[0]?.clock ?? 0))).toBeGreaterThan(500_000)
    expect(reports.flatMap(({ settled }) => settled).sort()).toEqual(kept.map(({ id }) => id).sort())
    expect(reports.map(({ lost }) => lost)).toEqual([0, 0])
    expect((await host.query('select id from pending_events')).rows).toEqual([])
  })
})
