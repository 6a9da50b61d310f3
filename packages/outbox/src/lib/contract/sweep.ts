import { expect } from 'vitest'
import { claimDueEvents } from '../claim.ts'
import type { OutboxDatabase } from '../database.ts'
import { enqueueEvent } from '../enqueue.ts'
import { beginEvent } from '../lease.ts'
import { completeEvent, rescheduleEvent } from '../settle.ts'
import { type SweptEvent, sweepPendingEvents } from '../sweep.ts'
import {
  type Holds,
  MINUTE,
  T,
  claimOne,
  databaseNow,
  event,
  eventIdAt,
  find,
  insertClaimed,
  insertRows,
  moved,
  refOf,
  row,
  rowOf,
} from './fixtures.ts'

async function sweepOne(db: OutboxDatabase, now: number): Promise<SweptEvent> {
  const { events } = await sweepPendingEvents(db, { leaseMs: MINUTE, now })
  expect(events).toHaveLength(1)
  return events[0] as SweptEvent
}

export function sweepPromises(holds: Holds): void {
  holds('a sweep takes a due row: new gen, a lease, no attempt counted, no payload read', async ({ db }) => {
    const [id = ''] = await insertRows(db, 1)
    const message = await refOf(db, id)
    const { events, exhausted, more } = await sweepPendingEvents(db, { leaseMs: MINUTE, now: T })
    expect([exhausted, more, events.some((one) => 'payload' in one)]).toEqual([[], false, false])
    expect(events.map(moved)).toMatchObject([
      { id, status: 'pending', attempts: 0, gen: 1, dueAt: T + MINUTE, claimedAt: null },
    ])
    expect(await beginEvent(db, message)).toBe('stale')
    expect(await beginEvent(db, await refOf(db, id))).toMatchObject({ id, gen: message.gen + 1 })
  })

  holds('a sweep skips a live lease and takes an expired one', async ({ db, rival }) => {
    const claim = await insertClaimed(db)
    expect((await sweepPendingEvents(rival, { now: T + MINUTE - 1 })).events).toEqual([])
    expect(moved(await sweepOne(rival, T + MINUTE))).toMatchObject({
      id: claim.id,
      gen: 2,
      crashes: 1,
      attempts: 0,
      claimedAt: null,
    })
    expect(await completeEvent(db, claim)).toBe('lost')
  })

  holds('each callback settles its row', async ({ db }) => {
    const ids = await insertRows(db, 3)
    const { events } = await sweepPendingEvents(db, { leaseMs: MINUTE, now: T })
    const [one, two, three] = ids.map((id) => events.find((swept) => swept.id === id))
    expect([await one?.complete(), await two?.fail('queue_refused'), await three?.reschedule(5000)]).toEqual([
      'ok',
      'ok',
      'ok',
    ])
    expect(await find(db, ids[0] ?? '')).toBeUndefined()
    expect(await row(db, ids[1] ?? '')).toMatchObject({ status: 'failed', lastError: 'queue_refused', completedAt: T })
    expect(moved(await row(db, ids[2] ?? ''))).toMatchObject({ status: 'pending', gen: 2, dueAt: T + 5000 })
  })

  holds('a callback is lost once another worker has claimed the row', async ({ db, rival }) => {
    await insertRows(db, 1)
    const swept = await sweepOne(db, T)
    const current = await claimOne(rival, T + MINUTE)
    expect([await swept.complete(), await swept.fail('late'), await swept.reschedule(1)]).toEqual([
      'lost',
      'lost',
      'lost',
    ])
    expect(await row(db, swept.id)).toEqual(rowOf(current))
  })

  holds('repeated sweeps and reschedules count no attempt (trap 5)', async ({ db }) => {
    const [id = ''] = await insertRows(db, 1, { maxAttempts: 1 })
    for (let round = 0; round < 5; round++) {
      const swept = await sweepOne(db, T + round * 5000)
      expect(await swept.reschedule(5000)).toBe('ok')
    }
    expect(await row(db, id)).toMatchObject({ status: 'pending', attempts: 0, deferrals: 0 })
  })

  holds('the lease doubles with each move of the row, up to 256 times', async ({ db }) => {
    await insertRows(db, 1)
    const leases: number[] = []
    let now = T
    for (let round = 0; round < 11; round++) {
      const swept = await sweepOne(db, now)
      leases.push(((swept.dueAt ?? 0) - now) / MINUTE)
      now = swept.dueAt ?? 0
    }
    expect(leases).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 256, 256])
  })

  holds(
    'no lease is longer than the age of its row or one lease, because no queue lags further behind',
    async ({ db }) => {
      const created = await databaseNow(db)
      await insertRows(db, 1, { due: created })
      const at = async (age: number) => {
        const swept = await sweepOne(db, created + age * MINUTE)
        await swept.reschedule(0)
        return Math.round(((swept.dueAt ?? 0) - created) / MINUTE) - age
      }
      // Twenty ticks of an outage, in each of which the row is swept and released.
      const leases: number[] = []
      for (let age = 0; age < 20; age++) leases.push(await at(age))
      expect(leases).toEqual([1, 1, ...leases.slice(2).map((_, n) => n + 2)])
    },
  )

  holds('a sweep marks a row whose attempts are exhausted failed, and returns it', async ({ db }) => {
    const claim = await insertClaimed(db, { maxAttempts: 1 })
    await rescheduleEvent(db, claim, { dueAt: T, now: T })
    const { events, exhausted } = await sweepPendingEvents(db, { now: T })
    expect(events).toEqual([])
    expect(exhausted).toMatchObject([{ id: claim.id, status: 'failed', lastError: 'attempts_exhausted', dueAt: null }])
    expect(await row(db, claim.id)).toMatchObject({ ...exhausted[0], completedAt: T })
  })

  holds('two concurrent sweeps get disjoint rows, and leave none', async ({ db, rival }) => {
    const now = (await databaseNow(db)) + 5 * MINUTE
    const ids = [
      ...(await insertRows(db, 30, { due: now - 1 })),
      ...(await insertRows(db, 30, { due: 'dispatched' })),
    ].sort()
    const swept = await Promise.all(
      [db, rival, db, rival, db, rival].map((one) => sweepPendingEvents(one, { limit: 20, leaseMs: MINUTE, now })),
    )
    expect(swept.flatMap(({ events }) => events.map(({ id }) => id)).sort()).toEqual(ids)
  })

  holds(
    'a sweep finds a lost first delivery by its id: older than a lease, younger than ten minutes',
    async ({ db }) => {
      const now = await databaseNow(db)
      const [id = ''] = await insertRows(db, 1, { due: 'dispatched' })
      const sweep = async (after: number) =>
        (await sweepPendingEvents(db, { leaseMs: 2 * MINUTE, now: now + after })).events.map(moved)
      expect(await sweep(MINUTE)).toEqual([])
      expect(await sweep(13 * MINUTE)).toEqual([])
      expect(await sweep(3 * MINUTE)).toMatchObject([{ id, gen: 1, attempts: 0, dueAt: now + 5 * MINUTE }])
      expect(await sweep(4 * MINUTE)).toEqual([])
      expect(await sweep(5 * MINUTE)).toMatchObject([{ id, gen: 2 }])
    },
  )

  holds('a sweep skips first deliveries with firstSends none', async ({ db }) => {
    const now = await databaseNow(db)
    await insertRows(db, 1, { due: 'dispatched' })
    expect((await sweepPendingEvents(db, { firstSends: 'none', now: now + 5 * MINUTE })).events).toEqual([])
  })

  holds('a sweep without due rows takes lost first deliveries and counts no attempt', async ({ db }) => {
    const now = (await databaseNow(db)) + 5 * MINUTE
    const [lost = ''] = await insertRows(db, 1, { due: 'dispatched' })
    const [due = ''] = await insertRows(db, 1, { due: now - 1 })
    const { events } = await sweepPendingEvents(db, { due: false, firstSends: 'all', now })
    expect(events).toMatchObject([{ id: lost }])
    expect(await events[0]?.reschedule(0)).toBe('ok')
    const { claims } = await claimDueEvents(db, { limit: 5, now })
    expect(claims).toMatchObject([lost, due].sort().map((id) => ({ id, attempts: 1, crashes: 0 })))
  })

  holds(
    'the hourly pass finds every lost first delivery, whatever its age and its id, step by step in any process',
    async ({ db, rival }) => {
      const now = await databaseNow(db)
      const ids = [...(await insertRows(db, 7, { due: 'dispatched' })), ...(await insertRows(db, 6, { due: T }))]
      const { id } = await enqueueEvent(db, event({ eventId: eventIdAt(now + 4 * MINUTE), due: 'dispatched' }))
      const found: string[] = []
      const steps: number[] = []
      for (let more = true; more && steps.length < 20;) {
        const options = { limit: 6, leaseMs: 2 * MINUTE, firstSends: 'all', now: now + 180 * MINUTE } as const
        const swept = await sweepPendingEvents(steps.length % 2 === 0 ? db : rival, options)
        found.push(...swept.events.map((one) => one.id))
        steps.push(swept.events.length)
        more = swept.more
      }
      expect(steps).toEqual([3, 3, 1, 0, 1])
      expect(found.sort()).toEqual([...ids.slice(0, 7), id].sort())
    },
  )

  holds('a pass over all dispatched rows begins an hour after the last one began', async ({ db }) => {
    const now = await databaseNow(db)
    const passAt = async (minutes: number) =>
      (await sweepPendingEvents(db, { due: false, firstSends: 'all', now: now + minutes * MINUTE })).events.length
    expect(await passAt(20)).toBe(0)
    await insertRows(db, 1, { due: 'dispatched' })
    expect([await passAt(40), await passAt(59), await passAt(61), await passAt(62)]).toEqual([0, 0, 1, 0])
    await insertRows(db, 1, { due: 'dispatched' })
    expect([await passAt(120), await passAt(122)]).toEqual([0, 1])
  })

  holds('the hourly pass skips a dispatched row that was created less than a lease ago', async ({ db }) => {
    const now = await databaseNow(db)
    await enqueueEvent(db, event({ eventId: eventIdAt(now + 4 * MINUTE), due: 'dispatched' }))
    const sweep = async (after: number) =>
      (await sweepPendingEvents(db, { leaseMs: 2 * MINUTE, firstSends: 'all', now: now + after })).events
    expect(await sweep(MINUTE)).toEqual([])
    expect(await sweep(65 * MINUTE)).toHaveLength(1)
  })

  holds('a sweep takes at most its limit, half of it reserved for lost first deliveries', async ({ db }) => {
    const now = (await databaseNow(db)) + 5 * MINUTE
    const due = await insertRows(db, 30, { due: now - 1 })
    const dispatched = await insertRows(db, 30, { due: 'dispatched' })
    for (let tick = 0; tick < 3; tick++) {
      const ids = (await sweepPendingEvents(db, { limit: 10, leaseMs: MINUTE, now })).events.map(({ id }) => id)
      expect(ids.filter((id) => due.includes(id))).toHaveLength(5)
      expect(ids.filter((id) => dispatched.includes(id))).toHaveLength(5)
    }
  })

  holds('a sweep takes at most perWorkspace rows in line of one workspace, its lanes in turn', async ({ db }) => {
    for (const workspaceId of ['ws_1', 'ws_2', 'ws_3']) {
      for (const endpointId of ['ep_1', 'ep_2']) {
        await insertRows(db, workspaceId === 'ws_3' ? 1 : 5, { due: 'now', workspaceId, endpointId })
      }
    }
    const { events } = await sweepPendingEvents(db, { perWorkspace: 4, firstSends: 'none' })
    const taken = Map.groupBy(events, ({ workspaceId, endpointId }) => `${workspaceId} ${endpointId}`)
    expect([...taken].map(([lane, rows]) => `${lane}: ${rows.length}`).sort()).toEqual([
      'ws_1 ep_1: 2',
      'ws_1 ep_2: 2',
      'ws_2 ep_1: 2',
      'ws_2 ep_2: 2',
      'ws_3 ep_1: 1',
      'ws_3 ep_2: 1',
    ])
    expect((await sweepPendingEvents(db, { limit: 4, perWorkspace: 4, firstSends: 'none' })).events).toHaveLength(4)
  })

  holds('a sweep fills the rest of its limit with due rows', async ({ db }) => {
    await insertRows(db, 30)
    expect((await sweepPendingEvents(db, { limit: 10, now: T })).events).toHaveLength(10)
  })
}
