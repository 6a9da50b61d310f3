import { expect } from 'vitest'
import { claimDueEvents } from '../claim.ts'
import { type Outcome, settleEvents } from '../settle.ts'
import { type SqlText, sqlText } from '../statement.ts'
import { type Holds, MINUTE, T, claimOne, counted, findAll, keep, keepClaimed, row } from './fixtures.ts'

const NOTES = { sql: 'create table notes (id text not null primary key)', params: [] }
const noted = { sql: 'select id from notes', params: [] }

/** What hangs on a claim: written only while that very claim stands. */
function note({ id, gen }: { id: string; gen: number }): SqlText {
  return sqlText`insert into notes (id)
    select id from pending_events where id = ${id} and gen = ${gen} and status = 'pending'`
}

export function unitPromises(holds: Holds): void {
  holds('settling and the next claim are one commit', async ({ db }) => {
    await keep(db, 4)
    const { claims } = await claimDueEvents(db, { limit: 2, now: T })
    const watched = counted(db)
    const outcomes = claims.map((claim): Outcome => ({ settle: 'complete', claim }))
    const { lost, claimed } = await settleEvents(watched.db, outcomes, {
      claim: { limit: 10, leaseMs: MINUTE, now: T },
    })
    expect(watched.count.units).toBe(1)
    expect(watched.count.statements).toBeLessThanOrEqual(2)
    expect(lost).toEqual([])
    expect(claimed.claims).toHaveLength(2)
    expect(await findAll(db)).toEqual(claimed.claims)
  })

  holds('the claim of the unit sees what the settle made due, and buries what it used up', async ({ db }) => {
    const again = await keepClaimed(db, { maxAttempts: 2 })
    const spent = await keepClaimed(db, { maxAttempts: 1 })
    const outcomes = [again, spent].map((claim): Outcome => ({ settle: 'reschedule', claim, dueAt: T }))
    const { claimed } = await settleEvents(db, outcomes, { claim: { limit: 10, now: T } })
    expect(claimed.claims).toMatchObject([{ id: again.id, gen: 3, attempts: 2 }])
    expect(claimed.dead).toMatchObject([{ id: spent.id, status: 'failed' }])
  })

  for (const keepCompleted of [false, true]) {
    const how = keepCompleted ? 'kept' : 'deleted'
    holds(`with completed rows ${how}: a claim whose lease is over is settled, not taken again`, async ({ db }) => {
      const claims = [await keepClaimed(db), await keepClaimed(db)]
      const [next = ''] = await keep(db, 1)
      const outcomes = claims.map((claim): Outcome => ({ settle: 'complete', claim }))
      const late = T + 2 * MINUTE
      const { lost, claimed } = await settleEvents(db, outcomes, { keepCompleted, claim: { limit: 10, now: late } })
      expect(lost).toEqual([])
      expect(claimed.claims.map(({ id }) => id)).toEqual([next])
      const left = (await findAll(db)).filter(({ status }) => status !== 'pending')
      expect(left.map(({ id }) => id)).toEqual(keepCompleted ? claims.map(({ id }) => id) : [])
    })

    holds(`with completed rows ${how}: what is lost is named, and may be taken by the unit's claim`, async ({ db }) => {
      const stale = await keepClaimed(db)
      await claimOne(db, T + MINUTE)
      const held = await keepClaimed(db)
      const late = T + 3 * MINUTE
      const outcomes = [stale, held].map((claim): Outcome => ({ settle: 'complete', claim }))
      const { lost, claimed } = await settleEvents(db, outcomes, { keepCompleted, claim: { limit: 10, now: late } })
      expect(lost).toEqual([stale.id])
      expect(claimed.claims).toMatchObject([{ id: stale.id, gen: 3 }])
    })
  }

  holds('a unit of a claim alone, with nothing to settle, claims', async ({ db }) => {
    const [id = ''] = await keep(db, 1)
    const { claimed } = await settleEvents(db, [], { claim: { limit: 10, now: T } })
    expect(claimed.claims.map((claim) => claim.id)).toEqual([id])
  })

  holds('what hangs on a claim is written while the claim still stands', async ({ db }) => {
    await db.run(NOTES)
    const kept = await keepClaimed(db)
    const deleted = await keepClaimed(db)
    const outcomes: Outcome[] = [
      { settle: 'fail', claim: kept, error: 'e' },
      { settle: 'complete', claim: deleted },
    ]
    const { lost } = await settleEvents(db, outcomes, { before: [note(kept), note(deleted)] })
    expect(lost).toEqual([])
    expect((await db.run(noted)).rows).toHaveLength(2)
  })

  holds('what hangs on a lost claim is not written', async ({ db }) => {
    await db.run(NOTES)
    const stale = await keepClaimed(db)
    const current = await claimOne(db, T + MINUTE)
    const { lost } = await settleEvents(db, [{ settle: 'complete', claim: stale }], { before: [note(stale)] })
    expect(lost).toEqual([stale.id])
    expect((await db.run(noted)).rows).toEqual([])
    expect(await row(db, stale.id)).toEqual(current)
  })

  holds('what stands after the settle sees what it left', async ({ db }) => {
    await db.run(NOTES)
    const claim = await keepClaimed(db)
    const after = sqlText`insert into notes (id) select id from pending_events where id = ${claim.id} and status = 'failed'`
    const settled = await settleEvents(db, [{ settle: 'fail', claim, error: 'e' }], {
      after: [after],
      claim: { limit: 1, now: T },
    })
    expect(settled.lost).toEqual([])
    expect((await db.run(noted)).rows).toEqual([{ id: claim.id }])
  })

  holds('a unit that fails anywhere keeps nothing of it: neither notes, nor settles, nor claims', async ({ db }) => {
    await db.run(NOTES)
    const claim = await keepClaimed(db)
    const [waiting = ''] = await keep(db, 1)
    const fails = sqlText`insert into notes (id) values (${null})`
    const outcome: Outcome = { settle: 'complete', claim }
    for (const options of [{ before: [note(claim), fails] }, { before: [note(claim)], after: [fails] }]) {
      await expect(settleEvents(db, [outcome], { ...options, claim: { limit: 5, now: T } })).rejects.toThrow(
        /not.?null/i,
      )
    }
    expect((await db.run(noted)).rows).toEqual([])
    expect(await row(db, claim.id)).toEqual(claim)
    expect((await row(db, waiting)).gen).toBe(0)
  })
}
