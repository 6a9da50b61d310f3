import { expect } from 'vitest'
import { type ClaimResult, claimDueEvents, claimReadyEvents, nextDueEvent } from '../claim.ts'
import type { OutboxDatabase } from '../database.ts'
import { completeEvent, rescheduleEvent } from '../settle.ts'
import { sweepPendingEvents } from '../sweep.ts'
import {
  type Holds,
  MINUTE,
  T,
  claimOne,
  databaseNow,
  insertClaimed,
  insertRows,
  moved,
  row,
  rowOf,
} from './fixtures.ts'

/** Claims in small batches until nothing is due; returns the ids of the claimed rows. */
async function drain(db: OutboxDatabase, limit: number): Promise<string[]> {
  const taken: string[] = []
  for (;;) {
    const { claims } = await claimDueEvents(db, { limit, now: T })
    if (claims.length === 0) return taken
    taken.push(...claims.map(({ id }) => id))
  }
}

const idsOf = ({ claims }: ClaimResult): string[] => claims.map(({ id }) => id)

export function claimPromises(holds: Holds): void {
  holds('a claim takes from each lane the rows after the one that it names', async ({ db }) => {
    const one = await insertRows(db, 4, { due: 'now' })
    const other = await insertRows(db, 3, { due: 'now', endpointId: 'ep_2' })
    const lane = { workspaceId: 'ws_1', endpointId: 'ep_1' }
    const lanes = [
      { ...lane, count: 2, after: one[1] },
      { ...lane, endpointId: 'ep_2', count: 5, after: other[0] },
    ]
    expect(idsOf(await claimReadyEvents(db, { lanes }))).toEqual([...one.slice(2), ...other.slice(1)].sort())
    expect(idsOf(await claimReadyEvents(db, { lanes: [{ ...lane, count: 5, after: one[0] }] }))).toEqual([one[1]])
    expect(idsOf(await claimReadyEvents(db, { lanes: [{ ...lane, count: 5 }] }))).toEqual([one[0]])
  })

  holds('a claim counts the attempt, increments gen and has the row until the lease ends', async ({ db, rival }) => {
    const [id = ''] = await insertRows(db, 1, { payload: 'p' })
    const { claims, exhausted } = await claimDueEvents(db, { limit: 5, leaseMs: MINUTE, now: T })
    expect(exhausted).toEqual([])
    expect(claims.map(moved)).toMatchObject([
      { id, attempts: 1, gen: 1, dueAt: T + MINUTE, claimedAt: T, payload: 'p' },
    ])
    expect(await row(rival, id)).toEqual(rowOf(claims[0]))
    expect((await claimDueEvents(rival, { limit: 5, now: T + MINUTE - 1 })).claims).toEqual([])
    const next = await claimDueEvents(rival, { limit: 5, now: T + MINUTE })
    expect(next.claims.map(moved)).toMatchObject([{ id, gen: 2 }])
  })

  holds('nothing is claimed before its time', async ({ db }) => {
    await insertRows(db, 1)
    expect((await claimDueEvents(db, { limit: 5, now: T - 1 })).claims).toEqual([])
    expect((await claimDueEvents(db, { limit: 5, now: T })).claims).toHaveLength(1)
  })

  holds('a claim takes the longest due rows first, at most as many as its limit', async ({ db }) => {
    const [late = ''] = await insertRows(db, 1, { due: T })
    const [early = ''] = await insertRows(db, 1, { due: T - 2 })
    const [middle = ''] = await insertRows(db, 1, { due: T - 1 })
    expect((await claimDueEvents(db, { limit: 1, now: T })).claims.map(({ id }) => id)).toEqual([early])
    expect((await claimDueEvents(db, { limit: 5, now: T })).claims.map(({ id }) => id).sort()).toEqual(
      [middle, late].sort(),
    )
  })

  holds('a claim returns its rows in the order of their events', async ({ db }) => {
    const ids = await insertRows(db, 40)
    expect((await claimDueEvents(db, { limit: 40, now: T })).claims.map(({ id }) => id)).toEqual(ids)
  })

  holds('two concurrent claimers never take the same row, and leave none', async ({ db, rival }) => {
    const ids = await insertRows(db, 60)
    const [mine, theirs] = await Promise.all([drain(db, 7), drain(rival, 5)])
    expect([...mine, ...theirs].sort()).toEqual(ids)
  })

  holds("a claim without a time uses the database's clock", async ({ db }) => {
    await insertRows(db, 1, { due: 'now' })
    await insertRows(db, 1, { due: T })
    const before = await databaseNow(db)
    const { claims } = await claimDueEvents(db, { limit: 5, leaseMs: MINUTE })
    expect(claims).toHaveLength(1)
    expect(claims[0]?.claimedAt).toBeGreaterThanOrEqual(before)
    expect(claims[0]?.dueAt).toBe((claims[0]?.claimedAt ?? 0) + MINUTE)
  })

  holds('a claim marks a row whose attempts are exhausted failed, and returns it (trap 7)', async ({ db }) => {
    const claim = await insertClaimed(db, { maxAttempts: 1 })
    await rescheduleEvent(db, claim, { delayMs: 0, now: T })
    const { claims, exhausted } = await claimDueEvents(db, { limit: 5, now: T + 1 })
    expect(claims).toEqual([])
    expect(exhausted.map(moved)).toMatchObject([
      {
        id: claim.id,
        status: 'failed',
        attempts: 1,
        gen: 3,
        dueAt: null,
        claimedAt: null,
        lastError: 'attempts_exhausted',
      },
    ])
    expect(await row(db, claim.id)).toMatchObject({ ...exhausted[0], completedAt: T + 1 })
  })

  holds('an exhausted row retains the error of its last attempt', async ({ db }) => {
    const claim = await insertClaimed(db, { maxAttempts: 1 })
    await rescheduleEvent(db, claim, { delayMs: 0, error: 'http_500', httpStatus: 500, now: T })
    expect((await claimDueEvents(db, { limit: 5, now: T })).exhausted).toMatchObject([
      { lastError: 'http_500', lastStatus: 500 },
    ])
  })

  holds('a claim that marks exhausted rows failed also claims the other rows', async ({ db }) => {
    const spent = await insertClaimed(db, { maxAttempts: 1 })
    await rescheduleEvent(db, spent, { delayMs: 0, now: T })
    const ids = await insertRows(db, 2)
    const { claims, exhausted } = await claimDueEvents(db, { limit: 3, now: T })
    expect(claims.map(({ id }) => id)).toEqual(ids)
    expect(exhausted.map(({ id }) => id)).toEqual([spent.id])
  })

  holds('the first three crashes do not count as attempts, the fourth does', async ({ db }) => {
    const [id = ''] = await insertRows(db, 1, { maxAttempts: 10 })
    const attempts = []
    for (let lease = 0; lease < 6; lease++) attempts.push((await claimOne(db, T + lease * MINUTE)).attempts)
    expect(attempts).toEqual([1, 1, 1, 1, 2, 3])
    expect((await row(db, id)).crashes).toBe(5)
  })

  holds('a worker that died on the last attempt leaves delivery_unconfirmed, not a plain failure', async ({ db }) => {
    const [id = ''] = await insertRows(db, 1, { maxAttempts: 1 })
    for (let crash = 0; crash < 4; crash++) await claimOne(db, T + crash * MINUTE)
    const { claims, exhausted } = await claimDueEvents(db, { limit: 5, now: T + 4 * MINUTE })
    expect(claims).toEqual([])
    expect(exhausted).toMatchObject([{ id, status: 'failed', attempts: 1, lastError: 'delivery_unconfirmed' }])
  })

  holds(
    'an attempt that ended is no crash: the next claim counts no crash and subtracts nothing for it',
    async ({ db }) => {
      const claim = await insertClaimed(db)
      await rescheduleEvent(db, claim, { dueAt: T + 1, now: T })
      expect(moved(await claimOne(db, T + 1))).toMatchObject({ attempts: 2, crashes: 0, gen: 3 })
    },
  )

  holds('nextDueEvent returns the due time of the first pending row, leases included', async ({ db }) => {
    expect((await nextDueEvent(db)).dueAt).toBeNull()
    await insertRows(db, 1, { due: 'dispatched' })
    expect((await nextDueEvent(db)).dueAt).toBeNull()
    const claim = await insertClaimed(db)
    expect((await nextDueEvent(db)).dueAt).toBe(T + MINUTE)
    await insertRows(db, 1, { due: T + 5 })
    expect((await nextDueEvent(db)).dueAt).toBe(T + 5)
    await completeEvent(db, claim)
    expect((await nextDueEvent(db)).dueAt).toBe(T + 5)
  })

  holds('a claim refuses a limit or a lease out of bounds by name', async ({ db }) => {
    for (const options of [{ limit: 0 }, { limit: 1001 }, { limit: 1.5 }, { limit: 1, leaseMs: 999 }]) {
      await expect(claimDueEvents(db, options)).rejects.toMatchObject({ code: 'invalid_option' })
    }
  })

  holds('a worker may claim a dispatched row once the lease of its sweep has expired', async ({ db }) => {
    const [id = ''] = await insertRows(db, 1)
    await sweepPendingEvents(db, { leaseMs: MINUTE, now: T })
    expect((await claimDueEvents(db, { limit: 5, now: T + MINUTE - 1 })).claims).toEqual([])
    expect(moved(await claimOne(db, T + MINUTE))).toMatchObject({ id, attempts: 1, crashes: 0, gen: 2 })
  })
}
