import { expect } from 'vitest'
import { claimDueEvents } from '../claim.ts'
import { completeEvent, failEvent, rescheduleEvent, settleEvents } from '../settle.ts'
import type { Outcome } from '../outcome.ts'
import { beginEvent } from '../lease.ts'
import {
  type Holds,
  MINUTE,
  T,
  claimOne,
  counted,
  event,
  everyOutcome,
  find,
  findAll,
  insertClaimed,
  insertRows,
  moved,
  refsOf,
  row,
  rowOf,
} from './fixtures.ts'

const NOBODY = { id: '', gen: 0 }

export function settlePromises(holds: Holds): void {
  holds('a completed row is deleted', async ({ db, rival }) => {
    const claim = await insertClaimed(db)
    expect(await completeEvent(db, claim)).toBe('ok')
    expect(await find(rival, claim.id)).toBeUndefined()
    expect(await completeEvent(db, claim)).toBe('lost')
  })

  holds('a settle without an error retains the last one, and without a status the last status', async ({ db }) => {
    const first = await insertClaimed(db)
    await rescheduleEvent(db, first, { delayMs: 0, error: 'http_500', httpStatus: 500, now: T })
    await rescheduleEvent(db, await claimOne(db), { delayMs: 0, now: T })
    expect(await row(db, first.id)).toMatchObject({ attempts: 2, lastError: 'http_500', lastStatus: 500 })
  })

  holds('a failed row stays, with its reason and the time of its failure', async ({ db }) => {
    const claim = await insertClaimed(db)
    expect(await failEvent(db, claim, { error: 'http_404', httpStatus: 404, now: T + 7 })).toBe('ok')
    expect(await row(db, claim.id)).toMatchObject({
      status: 'failed',
      attempts: 1,
      dueAt: null,
      claimedAt: null,
      completedAt: T + 7,
      lastError: 'http_404',
      lastStatus: 404,
    })
    expect((await claimDueEvents(db, { limit: 5, now: T + 10 * MINUTE })).claims).toEqual([])
  })

  holds('a rescheduled row is due again at its time, its attempt counts and gen is incremented', async ({ db }) => {
    const claim = await insertClaimed(db)
    expect(await rescheduleEvent(db, claim, { delayMs: 4000.2, error: 'http_503', httpStatus: 503, now: T })).toBe('ok')
    expect(moved(await row(db, claim.id))).toMatchObject({
      status: 'pending',
      attempts: 1,
      deferrals: 0,
      gen: 2,
      dueAt: T + 4001,
      claimedAt: null,
      lastError: 'http_503',
      lastStatus: 503,
    })
    expect(moved(await claimOne(db, T + 4001))).toMatchObject({ attempts: 2, gen: 3 })
  })

  holds('a deferral is counted apart and does not count as an attempt', async ({ db }) => {
    const claim = await insertClaimed(db)
    expect(await rescheduleEvent(db, claim, { dueAt: T + 9, deferral: true, now: T })).toBe('ok')
    expect(moved(await row(db, claim.id))).toMatchObject({ attempts: 0, deferrals: 1, gen: 2, dueAt: T + 9 })
    await rescheduleEvent(db, await claimOne(db, T + 9), { dueAt: T + 10, deferral: true })
    expect(await row(db, claim.id)).toMatchObject({ attempts: 0, deferrals: 2 })
  })

  holds('a settle counts an attempt that was begun without a claim', async ({ db }) => {
    const refs = await refsOf(db, await insertRows(db, 3, { due: 'dispatched' }))
    const [one = NOBODY, two = NOBODY, three = NOBODY] = refs
    for (const ref of refs) expect(await beginEvent(db, ref)).toMatchObject({ attempts: 0 })
    await rescheduleEvent(db, one, { dueAt: T })
    await failEvent(db, two, { error: 'http_404' })
    await rescheduleEvent(db, three, { dueAt: T, deferral: true })
    expect((await findAll(db)).map(({ attempts }) => attempts)).toEqual([1, 1, 0])
  })

  holds('no settle of a stale gen changes anything, of any kind', async ({ db, rival }) => {
    const stale = await insertClaimed(db)
    const current = await claimOne(rival, T + MINUTE)
    for (const outcome of everyOutcome(stale)) {
      const { lost } = await settleEvents(db, [outcome], { now: T + MINUTE })
      expect([outcome.settle, lost]).toEqual([outcome.settle, [stale]])
      expect([outcome.settle, await row(db, stale.id)]).toEqual([outcome.settle, rowOf(current)])
    }
    expect(await completeEvent(rival, current)).toBe('ok')
  })

  holds('no settle of a future gen, or of a row that does not exist, changes anything', async ({ db }) => {
    const claim = await insertClaimed(db)
    const unknown = { id: `${event().eventId}.ep_1`, gen: 1 }
    for (const outcome of [...everyOutcome({ id: claim.id, gen: claim.gen + 1 }), ...everyOutcome(unknown)]) {
      expect((await settleEvents(db, [outcome])).lost).toEqual([outcome.claim])
    }
    expect(await findAll(db)).toEqual([rowOf(claim)])
  })

  holds('a settled or held row cannot be settled again under the same gen', async ({ db }) => {
    for (const first of [
      { settle: 'fail', error: 'first' },
      { settle: 'hold', reason: 'blocked' },
      { settle: 'complete' },
    ] as const) {
      const claim = await insertClaimed(db)
      await settleEvents(db, [{ ...first, claim }])
      const settled = await find(db, claim.id)
      for (const outcome of everyOutcome({ id: claim.id, gen: settled?.gen ?? claim.gen })) {
        const { lost } = await settleEvents(db, [outcome])
        expect([outcome.settle, lost]).toEqual([outcome.settle, [outcome.claim]])
      }
      expect(await find(db, claim.id)).toEqual(settled)
    }
  })

  holds('a thousand mixed outcomes settle in at most two statements and one commit', async ({ db }) => {
    await insertRows(db, 1000)
    const { claims } = await claimDueEvents(db, { limit: 1000, now: T })
    await completeEvent(db, claims[0] ?? NOBODY)
    const watched = counted(db)
    const { lost } = await settleEvents(
      watched.db,
      claims.map((claim, index) => everyOutcome(claim)[index % 6] as Outcome),
      { now: T },
    )
    expect(watched.count).toEqual({ statements: 2, commits: 1 })
    expect(lost).toEqual([claims[0]])
    const rows = (await findAll(db)).map(moved)
    const count = (status: string, gen: number) => rows.filter((one) => one.status === status && one.gen === gen).length
    expect([rows.length, count('failed', 1), count('held', 2), count('pending', 2)]).toEqual([833, 167, 166, 500])
  })

  holds('a settle of no outcomes runs no statement', async ({ db }) => {
    const watched = counted(db)
    expect(await settleEvents(watched.db, [])).toEqual({ lost: [], claimed: { claims: [], exhausted: [] } })
    expect(watched.count.commits).toBe(0)
  })

  holds('errors are cut to 1,000 characters, and characters that no database stores are removed', async ({ db }) => {
    const claim = await insertClaimed(db)
    expect(await failEvent(db, claim, { error: `\0\ud800${'x'.repeat(2000)}` })).toBe('ok')
    expect((await row(db, claim.id)).lastError).toBe(`\ufffd${'x'.repeat(998)}`)
    const other = await insertClaimed(db)
    await settleEvents(db, [{ settle: 'hold', claim: other, reason: 'a\0b' }])
    expect((await row(db, other.id)).holdReason).toBe('ab')
  })

  holds('an invalid delay or time is refused before anything is written', async ({ db }) => {
    const claim = await insertClaimed(db)
    for (const wait of [
      { delayMs: -1 },
      { delayMs: Number.NaN },
      { dueAt: Number.POSITIVE_INFINITY },
      { dueAt: 1e300 },
    ]) {
      await expect(rescheduleEvent(db, claim, wait)).rejects.toMatchObject({ code: 'invalid_option' })
    }
    expect(await row(db, claim.id)).toEqual(rowOf(claim))
  })

  holds("a settle without a time uses the database's clock", async ({ db }) => {
    const claim = await insertClaimed(db)
    await rescheduleEvent(db, claim, { delayMs: MINUTE })
    const { dueAt, createdAt } = await row(db, claim.id)
    expect(dueAt).toBeGreaterThanOrEqual(createdAt + MINUTE)
    expect(dueAt).toBeLessThan(createdAt + 60 * MINUTE)
  })
}
