import { expect } from 'vitest'
import { claimDueEvents } from '../claim.ts'
import { newEventId } from '../event.ts'
import type { Outcome } from '../outcome.ts'
import type { ClaimRecord } from '../record.ts'
import { recordsOf } from '../records.ts'
import { rowId } from '../row-id.ts'
import type { ClaimRef } from '../row.ts'
import { settleEvents } from '../settle.ts'
import { sqlText } from '../statement.ts'
import { type Holds, MINUTE, T, claimOne, counted, insertClaimed, insertRows } from './fixtures.ts'

/** A record with values that all share, that none share, and that some leave out. */
const RECORD: ClaimRecord<ClaimRef & { word: string | null }> = {
  columns: {
    shared: ['text', () => `a "quoted" \\ {text}`],
    word: ['text', ({ word }) => word],
    number: ['integer', ({ gen }) => gen],
  },
  insert: ({ from, value }) => sqlText`insert into records (id, workspace_id, shared, word, number)
    select claim.id, claim.workspace_id, ${value('shared')}, ${value('word')}, ${value('number')} from ${from}`,
}

const RECORDS = sqlText`create table records
  (id text not null primary key, workspace_id text not null, shared text not null, word text, number bigint not null)`

export function settleRecordsPromises(holds: Holds): void {
  for (const claim of [undefined, { due: 10, now: T }]) {
    for (const count of [3, 40]) {
      const how = `a settle of ${count} ${claim ? 'with' : 'without'} the next claim`
      holds(`${how} records those that have an item and are current, with its own, in its commit`, async ({ db }) => {
        await db.run(RECORDS)
        const stale = await insertClaimed(db)
        const current = await claimOne(db, T + MINUTE)
        await insertRows(db, count)
        const { claims } = await claimDueEvents(db, { limit: count, now: T })
        const [unrecorded, ...others] = claims
        const unsettled = { id: rowId(newEventId(), 'ep_1'), gen: 1 }
        const items = [unsettled, current, stale, ...others].map(({ id, gen }, index) => ({
          id,
          gen,
          word: index % 2 ? `${index}` : null,
        }))
        const watched = counted(db)
        const { lost } = await settleEvents(
          watched.db,
          [current, stale, ...claims].map((one): Outcome => ({ settle: 'complete', claim: one })),
          { claim, records: recordsOf(items, RECORD) },
        )
        expect(watched.count.commits).toBe(1)
        // A claim, although the settle of another claim of its row stands.
        expect(lost).toEqual([stale])
        const { rows } = await db.run<{ id: string }>(sqlText`select id, word, shared, number from records order by id`)
        const expected = items
          .filter(({ id, gen }) => id !== unsettled.id && (id !== stale.id || gen === current.gen))
          .map(({ id, gen, word }) => ({ id, word, shared: `a "quoted" \\ {text}`, number: gen }))
        expect(rows).toEqual(expected.toSorted((one, other) => (one.id < other.id ? -1 : 1)))
        expect(rows.map(({ id }) => id)).not.toContain(unrecorded?.id)
      })
    }
  }

  for (const count of [1, 40]) {
    holds(`a settle of ${count} with the next claim records those that share every value`, async ({ db }) => {
      await db.run(RECORDS)
      await insertRows(db, count)
      const { claims } = await claimDueEvents(db, { limit: count, now: T })
      // One insert gives its rows one creation time.
      expect(new Set(claims.map(({ gen }) => gen)).size).toBe(1)
      const items = claims.map(({ id, gen }) => ({ id, gen, word: null }))
      const outcomes = claims.map((claim): Outcome => ({ settle: 'complete', claim }))
      const { lost } = await settleEvents(db, outcomes, {
        claim: { due: 10, now: T },
        records: recordsOf(items, RECORD),
      })
      expect(lost).toEqual([])
      const { rows } = await db.run<{ id: string }>(sqlText`select id from records order by id`)
      expect(rows.map(({ id }) => id)).toEqual(claims.map(({ id }) => id).toSorted())
    })
  }
}
