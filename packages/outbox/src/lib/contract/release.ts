import { expect } from 'vitest'
import { claimDueEvents } from '../claim.ts'
import { releaseEvents } from '../release.ts'
import { completeEvent } from '../settle.ts'
import {
  type Holds,
  MINUTE,
  T,
  claimOne,
  counted,
  findAll,
  insertClaimed,
  insertRows,
  moved,
  refOf,
  row,
} from './fixtures.ts'

export function releasePromises(holds: Holds): void {
  holds(
    'a released row is due immediately, its attempt does not count and its gen is incremented',
    async ({ db, rival }) => {
      const claim = await insertClaimed(db)
      expect(await releaseEvents(db, [claim], { now: T + 3 })).toEqual([])
      expect(moved(await row(db, claim.id))).toMatchObject({
        status: 'pending',
        attempts: 0,
        gen: 2,
        dueAt: T + 3,
        claimedAt: null,
        crashes: 0,
        deferrals: 0,
      })
      expect(moved(await claimOne(rival, T + 3))).toMatchObject({ id: claim.id, attempts: 1, gen: 3, crashes: 0 })
    },
  )

  holds('a release can set the due time', async ({ db }) => {
    const claim = await insertClaimed(db)
    expect(await releaseEvents(db, [claim], { dueAt: T + MINUTE, now: T })).toEqual([])
    expect((await row(db, claim.id)).dueAt).toBe(T + MINUTE)
  })

  holds('a settle or a second release after a release is lost', async ({ db }) => {
    const claim = await insertClaimed(db)
    await releaseEvents(db, [claim], { now: T })
    const released = await row(db, claim.id)
    expect(await completeEvent(db, claim)).toBe('lost')
    expect(await releaseEvents(db, [claim], { now: T })).toEqual([claim])
    expect(await row(db, claim.id)).toEqual(released)
  })

  holds('a release subtracts no more than was counted', async ({ db }) => {
    const [id = ''] = await insertRows(db, 1, { due: 'dispatched' })
    expect(await releaseEvents(db, [await refOf(db, id)], { now: T })).toEqual([])
    expect(moved(await row(db, id))).toMatchObject({ attempts: 0, gen: 1, dueAt: T })
  })

  holds('one statement releases any number of claims and returns the lost ones', async ({ db, rival }) => {
    await insertRows(db, 30)
    const { claims } = await claimDueEvents(db, { limit: 30, leaseMs: MINUTE, now: T })
    const [taken] = claims.slice(0, 1)
    await completeEvent(rival, taken ?? { id: '', gen: 0 })
    const watched = counted(db)
    expect(await releaseEvents(watched.db, claims, { now: T })).toEqual([taken])
    expect(watched.count.statements).toBe(1)
    expect((await findAll(db)).map(({ attempts }) => attempts)).toEqual(Array.from({ length: 29 }, () => 0))
    expect(await releaseEvents(watched.db, [])).toEqual([])
    expect(watched.count.statements).toBe(1)
  })
}
