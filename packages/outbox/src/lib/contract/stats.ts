import { expect } from 'vitest'
import { failEvent, rescheduleEvent, settleEvents } from '../settle.ts'
import { oldestDue, oldestRows } from '../oldest.ts'
import { sqlText } from '../statement.ts'
import { outboxStats } from '../stats.ts'
import { type Holds, MINUTE, T, claimOne, insertClaimed, insertCompleted, insertRows, row } from './fixtures.ts'

export function statsPromises(holds: Holds): void {
  holds('an empty outbox counts nothing and waits for nothing', async ({ db }) => {
    expect(await outboxStats(db)).toEqual({
      due: 0,
      scheduled: 0,
      inFlight: 0,
      dispatched: 0,
      held: 0,
      completed: 0,
      failed: 0,
      truncated: false,
      oldestDueMs: 0,
      oldestWaitingMs: 0,
    })
  })

  holds('every row is in exactly one count', async ({ db }) => {
    await failEvent(db, await insertClaimed(db), { error: 'e' })
    await failEvent(db, await insertClaimed(db), { error: 'e' })
    await insertCompleted(db)
    await settleEvents(db, [{ settle: 'hold', claim: await insertClaimed(db), reason: 'blocked' }])
    await rescheduleEvent(db, await insertClaimed(db), { dueAt: T + MINUTE })
    await insertClaimed(db)
    await insertRows(db, 3, { due: 'dispatched' })
    await insertRows(db, 4, { due: T })
    expect(await outboxStats(db, { now: T + 1 })).toMatchObject({
      due: 4,
      scheduled: 1,
      inFlight: 1,
      dispatched: 3,
      held: 1,
      completed: 1,
      failed: 2,
      truncated: false,
    })
  })

  holds('oldestDueMs is the age of the row that has waited longest past its time', async ({ db }) => {
    await insertRows(db, 1, { due: T })
    await insertRows(db, 1, { due: T + 40 })
    expect((await outboxStats(db, { now: T + 100 })).oldestDueMs).toBe(100)
    expect((await outboxStats(db, { now: T - 100 })).oldestDueMs).toBe(0)
  })

  holds('oldestDueMs ignores a row under a live lease, and counts it after the lease', async ({ db }) => {
    await insertClaimed(db)
    expect((await outboxStats(db, { now: T + MINUTE - 1 })).oldestDueMs).toBe(0)
    expect(await outboxStats(db, { now: T + MINUTE + 9 })).toMatchObject({ due: 1, inFlight: 0, oldestDueMs: 9 })
  })

  holds('oldestWaitingMs includes held rows, so that a blocked endpoint cannot hide its backlog', async ({ db }) => {
    const claim = await insertClaimed(db)
    await settleEvents(db, [{ settle: 'hold', claim, reason: 'blocked' }])
    const { createdAt } = await row(db, claim.id)
    const waited = { oldestDueMs: 0, oldestWaitingMs: T - createdAt }
    expect(await outboxStats(db, { now: T })).toMatchObject({ held: 1, ...waited })
    expect(await oldestRows(db, T)).toEqual(waited)
    expect(await oldestDue(db, T)).toBe(0)
  })

  holds(
    'oldestWaitingMs counts a held row from its last replay, and finds the oldest of many endpoints',
    async ({ db }) => {
      for (const endpointId of ['ep_1', 'ep_2', 'ep_3', 'ep_3']) {
        const claim = await insertClaimed(db, { endpointId })
        await settleEvents(db, [{ settle: 'hold', claim, reason: 'blocked' }])
      }
      const at = sqlText`cast(${T} as bigint)`
      await db.run(sqlText`
      update pending_events set created_at = ${at}, replayed_at = case endpoint_id
        when 'ep_1' then ${at} + 10 when 'ep_2' then ${at} + 5 end`)
      const waits = async () => (await oldestRows(db, T + 100)).oldestWaitingMs
      expect(await waits()).toBe(100)
      await db.run(sqlText`delete from pending_events where endpoint_id = ${'ep_3'}`)
      expect(await waits()).toBe(95)
      await db.run(sqlText`delete from pending_events where endpoint_id = ${'ep_2'}`)
      expect(await waits()).toBe(90)
    },
  )

  holds('a row that is due counts in both ages', async ({ db }) => {
    await insertRows(db, 1, { due: T })
    expect(await oldestRows(db, T + 100)).toEqual({ oldestDueMs: 100, oldestWaitingMs: 100 })
    expect(await oldestRows(db, T - 100)).toEqual({ oldestDueMs: 0, oldestWaitingMs: 0 })
  })

  holds('oldestDueMs counts a rate-limited row from the time it may be sent (trap 21)', async ({ db }) => {
    await insertRows(db, 1)
    await rescheduleEvent(db, await claimOne(db), { dueAt: T + MINUTE, deferral: true })
    expect(await outboxStats(db, { now: T + 2 * MINUTE })).toMatchObject({ due: 1, oldestDueMs: MINUTE })
  })

  holds('a count stops at its limit and says so', async ({ db }) => {
    await insertRows(db, 12)
    expect(await outboxStats(db, { countLimit: 5, now: T + 7 })).toMatchObject({ truncated: true, oldestDueMs: 7 })
    expect(await outboxStats(db, { countLimit: 12, now: T })).toMatchObject({ due: 12, truncated: false })
  })
}
