// The cost of Keepsend on D1, by D1's own count: it bills `meta.rows_read` and `meta.rows_written`.
import { env } from 'cloudflare:workers'
import { consumeBatch, sweep } from '../../src/index.ts'
import {
  type OutboxDatabase,
  claimDueEvents,
  cleanupOldEvents,
  enqueueEvents,
  newEventId,
  nextDueEvent,
  settleEvents,
  sweepPendingEvents,
} from '@keepsend/outbox'
import { firstEventIdAt, sqlText } from '@keepsend/outbox/internal'
import { fromD1 } from '@keepsend/outbox/d1'
import { describe, expect, it } from 'vitest'
import { metered } from './metered.ts'
import { type Rig, type RigOptions, batchOf, rig } from './rig.ts'

async function meteredRig(options: RigOptions = {}): Promise<Rig & ReturnType<typeof metered>> {
  const meter = metered(env.DB)
  const parts = await rig({ ...options, wrap: () => fromD1(meter.d1) })
  meter.read()
  return { ...parts, ...meter }
}

/** That many rows, pending, by one statement; ids of the given time, counted up. */
async function fill(db: OutboxDatabase, count: number, row: { idAt: number; dueAt: number | null; createdAt: number }) {
  const { changes } = await db.run(sqlText`
    insert into pending_events (id, workspace_id, event_type, endpoint_id, due_at, gen, created_at, payload)
    with recursive n(value) as (select 1 union all select value + 1 from n where value < ${count})
    select ${firstEventIdAt(row.idAt).slice(0, 17)} || '-7000-8000-' || printf('%012x', value) || '.ep_1', 'w', 'test', 'ep_1',
      cast(${row.dueAt} as integer), cast(${row.createdAt} as integer), cast(${row.createdAt} as integer), '{}'
    from n
    where ${count} > 0`)
  expect(changes).toBe(count)
}

describe('a delivery to one endpoint', () => {
  it('writes two rows from publish to settle, without a claim', async () => {
    const { addEndpoint, policy, publish, read, sent, rows } = await meteredRig()
    await addEndpoint()
    read()
    await publish(1)
    const published = read()
    expect(published).toMatchObject({ rowsWritten: 1, kinds: ['select (', 'insert into', 'with receiver'], calls: 2 })

    await consumeBatch(policy, batchOf(sent.map(({ body }) => body)))
    const consumed = read()
    expect(consumed.rowsWritten).toBe(1)
    expect(consumed.kinds.filter((kind) => !kind.startsWith('select'))).toEqual(['delete from'])
    expect(await rows()).toEqual([])
  })

  it('writes four rows more for each attempt that fails: three of its own, one of its endpoint’s health', async () => {
    const { addEndpoint, policy, publish, read, sent, rows } = await meteredRig()
    await addEndpoint({ status: 500 })
    await publish(1)
    for (const attempts of [1, 2, 3]) {
      read()
      await consumeBatch(policy, batchOf([sent.at(-1)?.body]))
      expect(read().rowsWritten).toBe(4)
      expect(await rows()).toMatchObject([{ attempts, moves: attempts }])
    }
  })

  it('writes five rows when it fails, one of them its endpoint’s health, and one when it is deleted', async () => {
    const { addEndpoint, db, policy, publish, read, sent } = await meteredRig()
    await addEndpoint({ status: 404 })
    await publish(1)
    read()
    await consumeBatch(policy, batchOf(sent.map(({ body }) => body)))
    expect(read().rowsWritten).toBe(5)
    expect(await cleanupOldEvents(db, { failedRetentionMs: 0, now: Date.now() + 60_000 })).toEqual({
      deleted: 1,
      more: false,
    })
    expect(read().rowsWritten).toBe(1)
  })

  it('writes two rows more when it is published for a disabled endpoint, and sends no message', async () => {
    const { addEndpoint, engine, publish, read, sent } = await meteredRig()
    const { endpointId } = await addEndpoint()
    await engine.endpoints.setStatus('w', endpointId, 'disabled')
    read()
    await publish(1)
    expect(read()).toMatchObject({ rowsWritten: 3, kinds: ['select (', 'insert into', 'with receiver'], calls: 2 })
    expect(sent).toEqual([])
  })

  it('costs as many rows in a batch of ten, and no more calls to D1 than two settles and two reads', async () => {
    const { addEndpoint, policy, publish, read, sent } = await meteredRig()
    await addEndpoint()
    await publish(10)
    read()
    await consumeBatch(policy, batchOf(sent.map(({ body }) => body)))
    const { calls, kinds, rowsWritten } = read()
    expect(rowsWritten).toBe(10)
    expect(kinds.filter((kind) => kind === 'delete from')).toHaveLength(2)
    expect(calls).toBe(4)
  })
})

describe('a delivery to four endpoints', () => {
  it('writes its payload separately, which is deleted by one written row', async () => {
    const { addEndpoint, engine, policy, publish, read, sent, rows } = await meteredRig()
    for (let n = 0; n < 4; n++) await addEndpoint()
    read()
    await publish(1)
    expect(read().rowsWritten).toBe(5)
    await consumeBatch(policy, batchOf(sent.map(({ body }) => body)))
    expect([read().rowsWritten, await rows()]).toEqual([4, []])
    expect(await engine.worker.maintain()).toMatchObject({ deletedPayloads: 1 })
    expect(read().rowsWritten).toBe(1)
  })
})

describe('statements', () => {
  it('publish takes two statements, plus a count of waiting rows once a second, for any number of endpoints, and writes its payload once', async () => {
    const { addEndpoint, publish, read } = await meteredRig()
    for (let n = 0; n < 20; n++) await addEndpoint()
    read()
    const ids = await publish(1)
    expect(ids).toHaveLength(20)
    expect(read()).toMatchObject({ statements: 3, calls: 2, rowsWritten: 21 })
  })

  it('a claim takes three statements (due rows, a look, the lanes) and a settle at most two, for one row or a thousand', async () => {
    const { db, read } = await meteredRig()
    for (const count of [1, 10, 1000]) {
      const events = Array.from({ length: count }, () => ({
        eventId: newEventId(),
        endpointId: 'ep_1',
        workspaceId: 'w',
        type: 'test',
        payload: '{}',
      }))
      await enqueueEvents(db, events)
      read()
      const { claims } = await claimDueEvents(db, { limit: count })
      expect([claims.length, read().statements]).toEqual([count, 3])
      const outcomes = claims.map((claim, n) =>
        n % 3 === 0
          ? ({ claim, settle: 'reschedule', dueAt: Date.now() + 3_600_000, error: 'HTTP 500' } as const)
          : ({ claim, settle: 'complete' } as const),
      )
      expect((await settleEvents(db, outcomes)).lost).toEqual([])
      expect(read()).toMatchObject({ calls: 1, statements: count === 1 ? 1 : 2 })
    }
  })

  it('a settle of a thousand ids takes one statement, within the bound on parameters', async () => {
    const { db, read } = await meteredRig()
    const now = Date.now()
    await fill(db, 1000, { idAt: now, dueAt: now - 1, createdAt: now })
    const { claims } = await claimDueEvents(db, { limit: 1000 })
    read()
    const { lost } = await settleEvents(
      db,
      claims.map((claim) => ({ claim, settle: 'complete' })),
    )
    expect(lost).toEqual([])
    expect(read()).toMatchObject({ statements: 1, rowsWritten: 1000 })
  })
})

describe('the sweep', () => {
  // Sizes of the backlog; each test checks what grows with it.
  const SIZES = [0, 1000, 100_000]

  it('reads the same number of rows for due ones beside 100,000 others as beside none', async () => {
    const reads: number[] = []
    for (const size of SIZES) {
      const { db, read } = await meteredRig()
      const { now } = await nextDueEvent(db)
      await fill(db, size, { idAt: now - 86_400_000, dueAt: now + 3_600_000, createdAt: now })
      await fill(db, 10, { idAt: now - 90_000_000, dueAt: now - 1, createdAt: now })
      read()
      expect((await sweepPendingEvents(db, { limit: 100, firstSends: 'none' })).events).toHaveLength(10)
      reads.push(read().rowsRead)
    }
    expect(new Set(reads.slice(1))).toHaveLength(1)
    expect(reads.at(-1)).toBeLessThanOrEqual((reads[0] ?? 0) + 1)
  })

  it('reads only its time window for lost first dispatches, whatever waits before and after it', async () => {
    const reads: number[] = []
    for (const size of SIZES) {
      const { db, read } = await meteredRig()
      const { now } = await nextDueEvent(db)
      await fill(db, size, { idAt: now - 3_600_000, dueAt: null, createdAt: now })
      await fill(db, Math.min(size, 1000), { idAt: now, dueAt: null, createdAt: now })
      await fill(db, 10, { idAt: now - 300_000, dueAt: null, createdAt: now - 300_000 })
      read()
      expect((await sweepPendingEvents(db, { limit: 100, due: false })).events).toHaveLength(10)
      reads.push(read().rowsRead)
    }
    expect(new Set(reads.slice(1))).toHaveLength(1)
    expect(reads.at(-1)).toBeLessThanOrEqual((reads[0] ?? 0) + 1)
  })

  it('reads no more keys in a step of the hourly pass than its limit', async () => {
    const reads: number[] = []
    for (const size of [1000, 100_000]) {
      const { db, read } = await meteredRig()
      const { now } = await nextDueEvent(db)
      // None of them is lost: all wait for a retry.
      await fill(db, size, { idAt: now - 86_400_000, dueAt: now + 3_600_000, createdAt: now - 86_400_000 })
      await db.run(sqlText`update keepsend_sweep_pass set began_at = 0`)
      read()
      expect(await sweepPendingEvents(db, { limit: 200, due: false, firstSends: 'all' })).toMatchObject({ more: true })
      reads.push(read().rowsRead)
    }
    expect(reads[0]).toBe(reads[1])
    // Each key is read twice: to find the end of the step, and to check it.
    expect(reads[0]).toBeLessThanOrEqual(2 * 100 + 10)
  })

  it('writes nothing in an idle tick, and reads as little beside 100,000 rows as beside none', async () => {
    const reads: number[] = []
    for (const size of [0, 100_000]) {
      const { db, policy, read } = await meteredRig()
      const { now } = await nextDueEvent(db)
      await fill(db, size, { idAt: now - 3_600_000, dueAt: now + 3_600_000, createdAt: now })
      // The first tick stores the check of the keys.
      await policy.engine.worker.checkKeys()
      read()
      expect(await sweep(policy)).toMatchObject({ redispatched: 0, oldestDueMs: 0, oldestWaitingMs: 0 })
      const { rowsRead, rowsWritten } = read()
      expect(rowsWritten).toBe(0)
      reads.push(rowsRead)
    }
    expect(reads[1]).toBeLessThanOrEqual((reads[0] ?? 0) + 2)
    // Some twenty looks, each with the clock: replays, erasures, held rows, due rows, what expires, and each retention.
    expect(reads[0]).toBeLessThanOrEqual(65)
  })
})
