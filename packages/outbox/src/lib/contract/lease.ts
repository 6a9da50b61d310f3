import { expect } from 'vitest'
import { claimDueEvents, claimEvents } from '../claim.ts'
import { beginEvent, beginEvents, extendLease } from '../lease.ts'
import { releaseEvents } from '../release.ts'
import { completeEvent, failEvent, rescheduleEvent } from '../settle.ts'
import { sweepPendingEvents } from '../sweep.ts'
import {
  type Holds,
  MINUTE,
  SECOND,
  T,
  claimOne,
  counted,
  databaseNow,
  insertClaimed,
  insertRows,
  moved,
  refOf,
  refsOf,
  row,
  rowOf,
} from './fixtures.ts'

export function leasePromises(holds: Holds): void {
  holds('an extended lease excludes other workers', async ({ db, rival }) => {
    const claim = await insertClaimed(db)
    expect(await extendLease(db, [claim], MINUTE, { now: T + 50 * SECOND })).toEqual([])
    expect(await row(db, claim.id)).toEqual({ ...rowOf(claim), dueAt: T + 110 * SECOND })
    expect((await claimDueEvents(rival, { limit: 5, now: T + 109 * SECOND })).claims).toEqual([])
    expect(await completeEvent(db, claim)).toBe('ok')
  })

  holds('an extension never shortens a lease', async ({ db }) => {
    const claim = await insertClaimed(db)
    expect(await extendLease(db, [claim], SECOND, { now: T })).toEqual([])
    expect(await row(db, claim.id)).toEqual(rowOf(claim))
  })

  holds(
    'an extension reports a claim that was settled or taken by another worker as lost, and leaves its row unchanged',
    async ({ db, rival }) => {
      const [taken, failed, deleted] = [await insertClaimed(db), await insertClaimed(db), await insertClaimed(db)]
      await failEvent(db, failed, { error: 'e' })
      await completeEvent(db, deleted)
      const current = await claimOne(rival, T + MINUTE)
      expect(current.id).toBe(taken.id)
      const kept = await insertClaimed(db)
      const lost = await extendLease(db, [taken, failed, kept, deleted], 5 * MINUTE, { now: T + MINUTE })
      expect(lost).toEqual([taken, failed, deleted])
      expect(await row(db, taken.id)).toEqual(rowOf(current))
      expect((await row(db, failed.id)).dueAt).toBeNull()
      expect((await row(db, kept.id)).dueAt).toBe(T + 6 * MINUTE)
    },
  )

  holds('one statement extends five hundred leases', async ({ db }) => {
    await insertRows(db, 500)
    const { claims } = await claimDueEvents(db, { limit: 500, now: T })
    const watched = counted(db)
    expect(await extendLease(watched.db, claims, 5 * MINUTE, { now: T })).toEqual([])
    expect(watched.count.statements).toBe(1)
    expect(await extendLease(watched.db, [], 5 * MINUTE)).toEqual([])
    expect(watched.count.statements).toBe(1)
  })

  holds('of two claims of one row, an extension reports the earlier one as lost', async ({ db }) => {
    const stale = await insertClaimed(db)
    const current = await claimOne(db, T + MINUTE)
    expect(current.id).toBe(stale.id)
    for (const claims of [
      [stale, current],
      [current, stale],
    ])
      expect(await extendLease(db, claims, 5 * MINUTE, { now: T + MINUTE })).toEqual([stale])
    expect((await row(db, current.id)).dueAt).toBe(T + 6 * MINUTE)
  })

  holds('only a claim can be extended, not a row that was begun or swept', async ({ db }) => {
    const [dispatched = ''] = await insertRows(db, 1, { due: 'dispatched' })
    const [due = ''] = await insertRows(db, 1, { due: T })
    await sweepPendingEvents(db, { leaseMs: MINUTE, firstSends: 'none', now: T })
    const refs = await refsOf(db, [dispatched, due])
    expect(await extendLease(db, refs, 5 * MINUTE, { now: T })).toEqual(refs)
    expect([(await row(db, dispatched)).dueAt, (await row(db, due)).dueAt]).toEqual([null, T + MINUTE])
  })

  holds('a message whose row has not moved is current, and beginEvent writes nothing', async ({ db }) => {
    const [id = ''] = await insertRows(db, 1, { due: 'dispatched', payload: 'p' })
    const before = await row(db, id)
    const message = { id, gen: before.gen }
    expect(await beginEvent(db, message)).toMatchObject({ id, gen: before.gen, payload: 'p', attempts: 0 })
    expect(await beginEvent(db, message)).toMatchObject({ id })
    expect(await row(db, id)).toEqual(before)
  })

  holds('a message with an old gen, or whose row is settled or gone, is stale', async ({ db }) => {
    const [putOff, failed, deleted] = [await insertClaimed(db), await insertClaimed(db), await insertClaimed(db)]
    await rescheduleEvent(db, putOff, { dueAt: T + MINUTE })
    await failEvent(db, failed, { error: 'e' })
    await completeEvent(db, deleted)
    for (const claim of [putOff, failed, deleted]) expect(await beginEvent(db, claim)).toBe('stale')
    expect(await beginEvent(db, { id: putOff.id, gen: putOff.gen + 1 })).toMatchObject({ id: putOff.id })
    expect(await beginEvent(db, { id: putOff.id, gen: putOff.gen + 2 })).toBe('stale')
  })

  holds('beginEvents reads a batch of messages in one statement', async ({ db }) => {
    const ids = await insertRows(db, 20, { due: 'dispatched' })
    const refs = await refsOf(db, ids)
    const watched = counted(db)
    const { current, stale } = await beginEvents(
      watched.db,
      refs.map(({ id, gen }, index) => ({ id, gen: gen + (index % 2) })),
    )
    expect(watched.count.statements).toBe(1)
    expect(current.map(({ id }) => id).sort()).toEqual(ids.filter((_, index) => index % 2 === 0))
    expect(stale).toEqual(ids.filter((_, index) => index % 2 === 1))
    expect(await beginEvents(watched.db, [])).toEqual({ current: [], swept: [], stale: [], workspacesInLine: [] })
  })

  holds('two messages for one row return one row, under the later gen', async ({ db }) => {
    const [id = ''] = await insertRows(db, 1, { due: 'dispatched' })
    const ref = await refOf(db, id)
    const twice = await beginEvents(db, [ref, { ...ref }])
    expect([twice.current.length, twice.stale]).toEqual([1, []])
    const ahead = await beginEvents(db, [{ id, gen: ref.gen + 1 }, ref])
    expect([ahead.current.length, ahead.stale]).toEqual([0, [id]])
  })

  holds('a message whose row was put in line is stale, because a claim from the line delivers it', async ({ db }) => {
    const [one = '', other = ''] = await insertRows(db, 2, { due: 'dispatched' })
    const messages = await refsOf(db, [one, other])
    expect((await beginEvents(db, messages)).workspacesInLine).toEqual([])
    await releaseEvents(db, messages.slice(0, 1))
    expect(await beginEvents(db, messages)).toMatchObject({
      current: [{ id: other }],
      swept: [],
      stale: [one],
      workspacesInLine: ['ws_1'],
    })
  })

  holds('a message that a sweep overtook may still deliver its row after a claim', async ({ db }) => {
    const now = await databaseNow(db)
    const ids = await insertRows(db, 2, { due: 'dispatched' })
    const messages = await refsOf(db, ids)
    await sweepPendingEvents(db, { leaseMs: MINUTE, now: now + 5 * MINUTE })
    const sweptRefs = await refsOf(db, ids)
    const { current, swept, stale } = await beginEvents(db, messages)
    expect([current, stale]).toEqual([[], []])
    expect(swept.map(moved)).toMatchObject(ids.map((id) => ({ id, gen: 1 })))

    const { claims } = await claimEvents(db, swept, { leaseMs: MINUTE, now: T })
    expect(claims.map(moved)).toMatchObject(
      ids.map((id) => ({ id, gen: 2, attempts: 1, crashes: 0, dueAt: T + MINUTE })),
    )
    expect((await beginEvents(db, messages)).stale).toEqual(ids)
    for (const ref of sweptRefs) expect(await beginEvent(db, ref)).toBe('stale')
  })

  holds(
    'an older message does not deliver a row that was attempted, or rescheduled at its receiver’s request',
    async ({ db }) => {
      const [failedOnce, deferred] = [await insertClaimed(db), await insertClaimed(db)]
      await rescheduleEvent(db, failedOnce, { dueAt: T + MINUTE, error: 'HTTP 500' })
      await rescheduleEvent(db, deferred, { dueAt: T + MINUTE, deferral: true })
      const messages = [failedOnce, deferred].map(({ id, createdAt }) => ({ id, gen: createdAt }))
      expect(await beginEvents(db, messages)).toMatchObject({ current: [], swept: [] })
    },
  )

  holds(
    'claiming named rows counts one attempt each, marks exhausted rows failed and skips rows that moved on',
    async ({ db, rival }) => {
      const [fresh = '', other = '', last = ''] = await insertRows(db, 3, { due: 'dispatched', maxAttempts: 1 })
      const refs = await refsOf(db, [fresh, other, last])
      await claimEvents(rival, [await refOf(db, other)], { now: T })
      const [died] = (await claimEvents(rival, [await refOf(db, last)], { now: T })).claims
      for (let crash = 0; crash < 3; crash++) await claimEvents(rival, [await refOf(db, last)], { now: T })
      const first = await claimEvents(db, [...refs, await refOf(db, last)], { now: T })
      expect(died).toMatchObject({ id: last, attempts: 1 })
      expect(first.claims.map(moved)).toMatchObject([{ id: fresh, gen: 1, attempts: 1, claimedAt: T }])
      expect(first.exhausted).toMatchObject([
        { id: last, status: 'failed', crashes: 4, lastError: 'delivery_unconfirmed' },
      ])
      expect(moved(await row(db, other))).toMatchObject({ gen: 1, attempts: 1 })
      expect(await claimEvents(db, refs, { now: T })).toEqual({ claims: [], exhausted: [] })
      expect(await claimEvents(db, [])).toEqual({ claims: [], exhausted: [] })
    },
  )
}
