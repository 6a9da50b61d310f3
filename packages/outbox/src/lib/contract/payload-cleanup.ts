import { expect } from 'vitest'
import { claimDueEvents } from '../claim.ts'
import { cleanupOldEvents } from '../cleanup.ts'
import type { OutboxDatabase } from '../database.ts'
import { enqueueEvent, enqueueEvents } from '../enqueue.ts'
import { expireEvents } from '../expire.ts'
import { cleanupPayloads } from '../payload.ts'
import { completeEvent, failEvent, settleEvents } from '../settle.ts'
import { sqlText } from '../statement.ts'
import { type Holds, T, counted, event, sharing, storedPayloads as stored } from './fixtures.ts'

const DAY = 86_400_000
const HOUR = 3_600_000

/** Completes every row that may go now. */
async function completeAll(db: OutboxDatabase, now = T): Promise<void> {
  const { claims } = await claimDueEvents(db, { limit: 1000, now })
  await settleEvents(
    db,
    claims.map((claim) => ({ settle: 'complete', claim })),
    { now },
  )
}

export function payloadCleanupPromises(holds: Holds): void {
  holds('a payload stays as long as a row of its event: pending, held, failed or in flight', async ({ db }) => {
    await enqueueEvents(db, sharing(4))
    const [held, failed, late, done] = (await claimDueEvents(db, { limit: 10, now: T })).claims
    if (!held || !failed || !late || !done) throw new Error('four rows were to be claimed')
    await completeEvent(db, done)
    await settleEvents(db, [{ settle: 'hold', claim: held, reason: 'blocked' }], { now: T })
    await failEvent(db, failed, { error: 'e', now: T })
    let now = T
    // Later than any rest between two passes.
    const cleanUp = () => cleanupPayloads(db, { now: (now += DAY) })
    expect([await cleanUp(), (await stored(db)).once]).toEqual([{ deleted: 0, more: false }, 1])
    await completeEvent(db, late)
    expect([await cleanUp(), (await stored(db)).once]).toEqual([{ deleted: 0, more: false }, 1])
    await expireEvents(db, { maxAgeMs: 1, now })
    expect(await cleanUp()).toEqual({ deleted: 0, more: false })
    expect((await cleanupOldEvents(db, { failedRetentionMs: 0, now: now + DAY })).deleted).toBe(2)
    expect([await cleanUp(), (await stored(db)).once]).toEqual([{ deleted: 1, more: false }, 0])
  })

  holds('a payload of rows without an endpoint is deleted after its rows', async ({ db }) => {
    const { endpointId: _, ...alone } = event({ payload: 'x'.repeat(1001) })
    await enqueueEvent(db, alone)
    await enqueueEvents(db, sharing(4))
    expect(await cleanupPayloads(db, { now: T })).toMatchObject({ deleted: 0 })
    await completeAll(db)
    await cleanupPayloads(db, { now: T + DAY })
    expect(await stored(db)).toEqual({ once: 0, inline: 0, characters: 0 })
  })

  holds(
    'a clean-up deletes in bounded batches until its budget ends, and the next continues there',
    async ({ db, rival }) => {
      await enqueueEvents(db, Array.from({ length: 7 }, () => sharing(4)).flat())
      await completeAll(db)
      const watched = counted(db)
      expect(await cleanupPayloads(watched.db, { batchSize: 2, budgetMs: 0, now: T })).toEqual({
        deleted: 2,
        more: true,
      })
      // Reads its position, reads and deletes payloads, writes its position.
      expect(watched.count.statements).toBe(4)
      let clock = 0
      const elapsed = () => (clock += 60)
      const some = { batchSize: 2, budgetMs: 100, now: T, elapsed }
      expect(await cleanupPayloads(rival, some)).toEqual({ deleted: 4, more: true })
      expect(await cleanupPayloads(rival, some)).toEqual({ deleted: 1, more: false })
    },
  )

  holds('a pass that found payloads in use rests 4 ms for each of them, an hour at most', async ({ db }) => {
    await enqueueEvents(db, [...sharing(4), ...sharing(4)])
    await enqueueEvents(db, sharing(4, { due: T - 1 }))
    await completeAll(db, T - 1)
    const watched = counted(db)
    const statements = async (now: number): Promise<number> => {
      watched.count.statements = 0
      await cleanupPayloads(watched.db, { now })
      return watched.count.statements
    }
    expect(await statements(T)).toBe(4)
    expect(await stored(db)).toMatchObject({ once: 2 })
    expect([await statements(T + 7), await statements(T + 8)]).toEqual([1, 4])
    // A clock that was wrong has written a time that no correct clock has reached.
    await db.run(sqlText`update keepsend_sweep_pass set payloads_next_at = ${T + HOUR + 1}`)
    expect([await statements(T), await statements(T)]).toEqual([4, 1])
  })

  holds('a clean-up that finds nothing writes nothing', async ({ db }) => {
    const watched = counted(db)
    for (let n = 0; n < 3; n++) expect(await cleanupPayloads(watched.db)).toEqual({ deleted: 0, more: false })
    expect(watched.count.statements).toBe(6)
  })

  holds(
    'a payload that a table of the caller retains stays, and a pass ends at the first of nearly all',
    async ({ db }) => {
      await enqueueEvents(db, [...sharing(4), ...sharing(4), ...sharing(4)])
      await completeAll(db)
      const { rows } = await db.run<{ id: number }>(sqlText`select id as "id" from keepsend_payloads order by id`)
      const [first, second, third] = rows.map(({ id }) => id)
      if (first === undefined || second === undefined || third === undefined) throw new Error('three payloads')
      const cleanUp = (from: number | null, retainedId: number) =>
        cleanupPayloads(db, {
          now: T,
          retained: {
            from: sqlText`cast(${from} as bigint)`,
            reference: sqlText`case when stored.id = ${retainedId} then 1 end`,
          },
        })
      const left = async () => (await db.run(sqlText`select id as "id" from keepsend_payloads order by id`)).rows
      expect(await cleanUp(third, first)).toMatchObject({ deleted: 1 })
      expect(await left()).toEqual([{ id: first }, { id: third }])
      await db.run(sqlText`update keepsend_sweep_pass set payloads_next_at = 0`)
      expect(await cleanUp(null, first)).toMatchObject({ deleted: 1 })
      expect(await left()).toEqual([{ id: first }])
    },
  )

  holds('two concurrent clean-ups delete each payload once', async ({ db, rival }) => {
    await enqueueEvents(db, Array.from({ length: 40 }, () => sharing(4)).flat())
    await completeAll(db)
    const both = await Promise.all(
      [db, rival].map((one) => cleanupPayloads(one, { batchSize: 3, budgetMs: 60_000, now: T })),
    )
    expect(both.reduce((sum, { deleted }) => sum + deleted, 0)).toBe(40)
    expect(await stored(db)).toMatchObject({ once: 0 })
  })
}
