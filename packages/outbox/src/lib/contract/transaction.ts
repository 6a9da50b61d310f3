import { expect } from 'vitest'
import { claimDueEvents } from '../claim.ts'
import { enqueueEventStatement } from '../enqueue.ts'
import { sqlText } from '../statement.ts'
import { Transaction } from '../transaction.ts'
import { type Holds, T, counted, event, findAll, insertRows } from './fixtures.ts'

// Each row takes the next number, so the rows show the order of their inserts.
const STEPS = { sql: 'create table steps (place integer not null primary key, name text not null)', params: [] }
const step = (name: string) => sqlText`
  insert into steps (place, name) select count(*), cast(${name} as text) from steps returning place as "place"`
const fails = sqlText`insert into steps (place, name) values (${99}, ${null})`
const steps = { sql: 'select name from steps order by place', params: [] }

export function transactionPromises(holds: Holds): void {
  holds('a transaction runs its parts in their declared order, whichever is filled first', async ({ db }) => {
    await db.run(STEPS)
    const transaction = new Transaction()
    const first = transaction.part()
    const second = transaction.part()
    transaction.add(step('after the parts'))
    const inSecond = second.part()
    second.addAll([step('2b'), step('2c')])
    inSecond.add(step('2a'))
    first.add(step('1a'))
    first.add(step('1b'))
    await transaction.commit(db)
    const { rows } = await db.run<{ name: string }>(steps)
    expect(rows.map(({ name }) => name)).toEqual(['1a', '1b', '2a', '2b', '2c', 'after the parts'])
  })

  holds('a handle reads the result of its own statement, wherever it is in the order', async ({ db }) => {
    await db.run(STEPS)
    const transaction = new Transaction()
    const early = transaction.part()
    const last = transaction.add<{ place: number }>(step('last'))
    const enqueued = early.add(enqueueEventStatement(event()))
    const one = early.add<{ place: number }>(step('first'))
    await transaction.commit(db)
    expect([one.rows, last.rows]).toEqual([[{ place: 0 }], [{ place: 1 }]])
    expect([one.changes, enqueued.changes, enqueued.rows]).toEqual([1, 1, []])
  })

  holds('a handle that is read before the commit, or after one that failed, throws', async ({ db }) => {
    await db.run(STEPS)
    const transaction = new Transaction()
    const handle = transaction.add(step('one'))
    expect(() => handle.rows).toThrow(/before its transaction was committed/)
    expect(() => handle.changes).toThrow(/before its transaction was committed/)
    transaction.add(fails)
    await expect(transaction.commit(db)).rejects.toThrow(/not.?null/i)
    expect(() => handle.rows).toThrow(/before its transaction was committed/)
  })

  holds('a transaction commits all of its statements or none, in one commit', async ({ db }) => {
    await db.run(STEPS)
    const build = (last: ReturnType<typeof step>) => {
      const transaction = new Transaction()
      transaction.part().add(step('one'))
      transaction.add(enqueueEventStatement(event()))
      transaction.add(last)
      return transaction
    }
    await expect(build(fails).commit(db)).rejects.toThrow(/not.?null/i)
    expect([(await db.run(steps)).rows, await findAll(db)]).toEqual([[], []])
    const watched = counted(db)
    await build(step('two')).commit(watched.db)
    expect(watched.count).toEqual({ statements: 3, commits: 1 })
    expect((await db.run(steps)).rows).toEqual([{ name: 'one' }, { name: 'two' }])
    expect(await findAll(db)).toHaveLength(1)
  })

  holds('an empty transaction commits nothing, however many parts it has', async ({ db }) => {
    await insertRows(db, 1)
    const before = await findAll(db)
    const transaction = new Transaction()
    const part = transaction.part()
    expect(transaction.isEmpty).toBe(true)
    const watched = counted(db)
    await transaction.commit(watched.db)
    expect(watched.count.statements).toBe(0)
    expect(await findAll(db)).toEqual(before)
    part.part().add(enqueueEventStatement(event()))
    expect(transaction.isEmpty).toBe(false)
    await transaction.commit(db)
    expect((await claimDueEvents(db, { limit: 5, now: T })).claims).toHaveLength(2)
  })
}
