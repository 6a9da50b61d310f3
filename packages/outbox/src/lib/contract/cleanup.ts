import { expect } from 'vitest'
import { claimDueEvents } from '../claim.ts'
import { cleanupOldEvents } from '../cleanup.ts'
import type { OutboxDatabase } from '../database.ts'
import { replayEvents } from '../replay.ts'
import { failEvent, settleEvents } from '../settle.ts'
import {
  type Holds,
  MINUTE,
  T,
  counted,
  find,
  findAll,
  insertClaimed,
  insertCompleted,
  insertRows,
} from './fixtures.ts'

const DAY = 86_400_000

async function keepFailed(db: OutboxDatabase, count: number, now: number): Promise<void> {
  await insertRows(db, count)
  const { claims } = await claimDueEvents(db, { limit: 1000, now: T })
  await settleEvents(
    db,
    claims.map((claim) => ({ settle: 'fail', claim, error: 'e' })),
    { now },
  )
}

export function cleanupPromises(holds: Holds): void {
  holds('a clean-up deletes failed rows a week after they settled', async ({ db }) => {
    await failEvent(db, await insertClaimed(db), { error: 'e', now: T })
    expect(await cleanupOldEvents(db, { now: T + 7 * DAY - 1 })).toEqual({ deleted: 0, more: false })
    expect(await cleanupOldEvents(db, { now: T + 7 * DAY + 1 })).toEqual({ deleted: 1, more: false })
    expect(await findAll(db)).toEqual([])
  })

  holds('a clean-up deletes completed rows of an earlier version as late as failed ones', async ({ db }) => {
    const young = await insertCompleted(db, T + DAY)
    await insertCompleted(db)
    const failedRetentionMs = 30 * DAY
    const clean = (ms: number) => cleanupOldEvents(db, { failedRetentionMs, now: T + failedRetentionMs + ms })
    expect(await clean(-1)).toEqual({ deleted: 0, more: false })
    expect(await clean(1)).toEqual({ deleted: 1, more: false })
    expect((await findAll(db)).map(({ id }) => id)).toEqual([young])
  })

  holds('a clean-up counts age from the settling, never from the creation (trap 6)', async ({ db }) => {
    // Settled at T, years after its creation by the database's clock.
    const old = await insertClaimed(db)
    await failEvent(db, old, { error: 'e', now: T })
    expect((await cleanupOldEvents(db, { failedRetentionMs: DAY, now: T + MINUTE })).deleted).toBe(0)
    expect(await find(db, old.id)).toBeDefined()
    // Settled long before its creation: past its retention by the database's clock.
    const early = await insertClaimed(db)
    await failEvent(db, early, { error: 'e', now: 1000 })
    expect((await cleanupOldEvents(db)).deleted).toBe(1)
    expect((await findAll(db)).map(({ id }) => id)).toEqual([old.id])
  })

  holds('a clean-up never deletes pending, claimed, dispatched or held rows', async ({ db }) => {
    const held = await insertClaimed(db)
    await settleEvents(db, [{ settle: 'hold', claim: held, reason: 'blocked' }])
    await insertClaimed(db)
    await insertRows(db, 1)
    await insertRows(db, 1, { due: 'dispatched' })
    expect(await cleanupOldEvents(db, { failedRetentionMs: 0, now: T + 1000 * DAY })).toEqual({
      deleted: 0,
      more: false,
    })
    expect(await findAll(db)).toHaveLength(4)
  })

  holds('a clean-up does not delete a row that was replayed', async ({ db }) => {
    await keepFailed(db, 1, T)
    await replayEvents(db, { status: 'failed' })
    expect((await cleanupOldEvents(db, { failedRetentionMs: 0, now: T + DAY })).deleted).toBe(0)
  })

  holds(
    'a clean-up deletes in bounded batches, oldest settlement first, until no rows are left (trap 27)',
    async ({ db }) => {
      await keepFailed(db, 4, T)
      await keepFailed(db, 5, T + 1)
      const watched = counted(db)
      const once = await cleanupOldEvents(watched.db, { failedRetentionMs: 0, batchSize: 4, budgetMs: 0, now: T + 2 })
      expect(once).toEqual({ deleted: 4, more: true })
      // One for completed rows, of which there are none, and one for failed ones.
      expect(watched.count.statements).toBe(2)
      expect((await findAll(db)).map(({ completedAt }) => completedAt)).toEqual(Array.from({ length: 5 }, () => T + 1))
      const rest = await cleanupOldEvents(watched.db, {
        failedRetentionMs: 0,
        batchSize: 2,
        budgetMs: 60_000,
        now: T + 2,
      })
      expect(rest).toEqual({ deleted: 5, more: false })
      expect(watched.count.statements).toBe(6)
    },
  )

  holds('a clean-up starts no batch after its budget has ended', async ({ db }) => {
    await keepFailed(db, 10, T)
    let clock = 0
    const elapsed = () => (clock += 60)
    const pruned = await cleanupOldEvents(db, {
      failedRetentionMs: 0,
      batchSize: 2,
      budgetMs: 150,
      now: T + 1,
      elapsed,
    })
    expect(pruned).toEqual({ deleted: 6, more: true })
  })

  holds('two concurrent clean-ups delete each row once', async ({ db, rival }) => {
    await keepFailed(db, 40, T)
    const both = await Promise.all(
      [db, rival].map((one) =>
        cleanupOldEvents(one, { failedRetentionMs: 0, batchSize: 3, budgetMs: 60_000, now: T + 1 }),
      ),
    )
    expect(both.reduce((sum, { deleted }) => sum + deleted, 0)).toBe(40)
    expect(await findAll(db)).toEqual([])
  })
}
