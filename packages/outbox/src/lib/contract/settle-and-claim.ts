import { expect } from 'vitest'
import { addClaim, claimDueEvents } from '../claim.ts'
import { addSettle, settleEvents } from '../settle.ts'
import type { Outcome } from '../outcome.ts'
import { type SqlText, sqlText } from '../statement.ts'
import { Transaction } from '../transaction.ts'
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
  row,
  rowOf,
} from './fixtures.ts'

const NOTES = { sql: 'create table notes (id text not null primary key)', params: [] }
const noted = { sql: 'select id from notes', params: [] }

/** One deletes its row, the other leaves it. */
const FINAL = [{ settle: 'complete' }, { settle: 'fail', error: 'e' }] as const

/** A statement that writes only while a claim is current. */
function note({ id, gen }: { id: string; gen: number }): SqlText {
  return sqlText`insert into notes (id)
    select id from pending_events where id = ${id} and gen = ${gen} and status = 'pending'`
}

export function settleAndClaimPromises(holds: Holds): void {
  holds('a settle and the next claim are one commit', async ({ db }) => {
    await insertRows(db, 4)
    const { claims } = await claimDueEvents(db, { limit: 2, now: T })
    const watched = counted(db)
    const outcomes = claims.map((claim): Outcome => ({ settle: 'complete', claim }))
    const { lost, claimed } = await settleEvents(watched.db, outcomes, {
      claim: { due: 10, leaseMs: MINUTE, now: T },
    })
    expect(watched.count.commits).toBe(1)
    expect(watched.count.statements).toBeLessThanOrEqual(2)
    expect(lost).toEqual([])
    expect(claimed.claims).toHaveLength(2)
    expect(await findAll(db)).toEqual(claimed.claims.map(rowOf))
  })

  holds(
    'the next claim sees the rows that the settle made due, and marks the exhausted ones failed',
    async ({ db }) => {
      const again = await insertClaimed(db, { maxAttempts: 2 })
      const spent = await insertClaimed(db, { maxAttempts: 1 })
      const outcomes = [again, spent].map((claim): Outcome => ({ settle: 'reschedule', claim, dueAt: T }))
      const { claimed } = await settleEvents(db, outcomes, { claim: { due: 10, now: T } })
      expect(claimed.claims.map(moved)).toMatchObject([{ id: again.id, gen: 3, attempts: 2 }])
      expect(claimed.exhausted).toMatchObject([{ id: spent.id, status: 'failed' }])
    },
  )

  for (const outcome of FINAL) {
    const how = `a settle that ends rows with ${outcome.settle}`
    holds(`${how}: a claim whose lease has expired is settled, not taken again`, async ({ db }) => {
      const claims = [await insertClaimed(db), await insertClaimed(db)]
      const [next = ''] = await insertRows(db, 1)
      const outcomes = claims.map((claim): Outcome => ({ ...outcome, claim }))
      const late = T + 2 * MINUTE
      const { lost, claimed } = await settleEvents(db, outcomes, { claim: { due: 10, now: late } })
      expect(lost).toEqual([])
      expect(claimed.claims.map(({ id }) => id)).toEqual([next])
      const left = (await findAll(db)).filter(({ status }) => status !== 'pending')
      expect(left.map(({ id }) => id)).toEqual(outcome.settle === 'fail' ? claims.map(({ id }) => id) : [])
    })

    holds(`${how}: it returns a lost claim, and the next claim may take its row`, async ({ db }) => {
      const stale = await insertClaimed(db)
      await claimOne(db, T + MINUTE)
      const held = await insertClaimed(db)
      const late = T + 3 * MINUTE
      const outcomes = [stale, held].map((claim): Outcome => ({ ...outcome, claim }))
      const { lost, claimed } = await settleEvents(db, outcomes, { claim: { due: 10, now: late } })
      expect(lost).toEqual([stale])
      expect(claimed.claims.map(moved)).toMatchObject([{ id: stale.id, gen: 3 }])
    })
  }

  holds('a settle of nothing with a claim claims', async ({ db }) => {
    const [id = ''] = await insertRows(db, 1)
    const { claimed } = await settleEvents(db, [], { claim: { due: 10, now: T } })
    expect(claimed.claims.map((claim) => claim.id)).toEqual([id])
  })

  holds('a statement that depends on a claim writes while the claim is current', async ({ db }) => {
    await db.run(NOTES)
    const kept = await insertClaimed(db)
    const deleted = await insertClaimed(db)
    const transaction = new Transaction()
    transaction.addAll([note(kept), note(deleted)])
    const lost = addSettle(transaction, db, [
      { settle: 'fail', claim: kept, error: 'e' },
      { settle: 'complete', claim: deleted },
    ])
    await transaction.commit(db)
    expect(lost()).toEqual([])
    expect((await db.run(noted)).rows).toHaveLength(2)
    expect((await findAll(db)).map(({ id, status }) => [id, status])).toEqual([[kept.id, 'failed']])
  })

  holds('a statement that depends on a lost claim writes nothing', async ({ db }) => {
    await db.run(NOTES)
    const stale = await insertClaimed(db)
    const current = await claimOne(db, T + MINUTE)
    const transaction = new Transaction()
    transaction.add(note(stale))
    const lost = addSettle(transaction, db, [{ settle: 'complete', claim: stale }])
    await transaction.commit(db)
    expect(lost()).toEqual([stale])
    expect((await db.run(noted)).rows).toEqual([])
    expect(await row(db, stale.id)).toEqual(rowOf(current))
  })

  holds('a statement after the settle sees its result', async ({ db }) => {
    await db.run(NOTES)
    const claim = await insertClaimed(db)
    const transaction = new Transaction()
    const lost = addSettle(transaction, db, [{ settle: 'fail', claim, error: 'e' }])
    transaction.add(
      sqlText`insert into notes (id) select id from pending_events where id = ${claim.id} and status = 'failed'`,
    )
    addClaim(transaction, db, { due: 1, now: T })
    await transaction.commit(db)
    expect(lost()).toEqual([])
    expect((await db.run(noted)).rows).toEqual([{ id: claim.id }])
  })

  holds('a claim after the settle takes rescheduled rows in the same commit', async ({ db }) => {
    const again = await insertClaimed(db)
    const done = await insertClaimed(db)
    const [waiting = ''] = await insertRows(db, 1)
    const transaction = new Transaction()
    const lost = addSettle(
      transaction,
      db,
      [
        { settle: 'release', claim: again },
        { settle: 'fail', claim: done, error: 'e' },
      ],
      { now: T },
    )
    // Released rows are back in line; rows that waited for T are due.
    const lanes = [{ workspaceId: 'ws_1', endpointId: 'ep_1', count: 10 }]
    const claimed = addClaim(transaction, db, { lanes, due: 10, leaseMs: MINUTE, now: T })
    const watched = counted(db)
    await transaction.commit(watched.db)
    expect(watched.count).toEqual({ statements: 3, commits: 1 })
    expect(lost()).toEqual([])
    expect(claimed().claims.map(moved)).toMatchObject([
      { id: again.id, gen: 3, attempts: 1 },
      { id: waiting, gen: 1, attempts: 1 },
    ])
    expect(await row(db, done.id)).toMatchObject({ status: 'failed', completedAt: T })
  })

  holds('the results of a settle and of a claim cannot be read before the commit', async ({ db }) => {
    const claim = await insertClaimed(db)
    const transaction = new Transaction()
    const lost = addSettle(transaction, db, [{ settle: 'complete', claim }])
    const claimed = addClaim(transaction, db, { due: 1, now: T })
    expect(lost).toThrow(/before its transaction was committed/)
    expect(claimed).toThrow(/before its transaction was committed/)
    expect(await row(db, claim.id)).toEqual(rowOf(claim))
  })

  holds('a transaction that fails anywhere commits neither notes, nor settles, nor claims', async ({ db }) => {
    await db.run(NOTES)
    const claim = await insertClaimed(db)
    const [waiting = ''] = await insertRows(db, 1)
    const fails = sqlText`insert into notes (id) values (${null})`
    for (const failing of ['before', 'between', 'after']) {
      const transaction = new Transaction()
      transaction.add(note(claim))
      if (failing === 'before') transaction.add(fails)
      const lost = addSettle(transaction, db, [{ settle: 'complete', claim }])
      if (failing === 'between') transaction.add(fails)
      const claimed = addClaim(transaction, db, { due: 5, now: T })
      if (failing === 'after') transaction.add(fails)
      await expect(transaction.commit(db), failing).rejects.toThrow(/not.?null/i)
      expect(lost, failing).toThrow(/before its transaction was committed/)
      expect(claimed, failing).toThrow(/before its transaction was committed/)
    }
    expect((await db.run(noted)).rows).toEqual([])
    expect(await row(db, claim.id)).toEqual(rowOf(claim))
    expect(moved(await row(db, waiting)).gen).toBe(0)
  })
}
