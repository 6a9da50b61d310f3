import { expect } from 'vitest'
import { claimDueEvents } from '../claim.ts'
import type { OutboxDatabase } from '../database.ts'
import type { OutboxEvent } from '../event.ts'
import { expireEvents } from '../expire.ts'
import { insertSelectStatements } from '../insert.ts'
import { replayEvents } from '../replay.ts'
import type { Schedule } from '../schedule.ts'
import { raw } from '../statement.ts'
import { outboxStats } from '../stats.ts'
import { sweepPendingEvents } from '../sweep.ts'
import { type Holds, MINUTE, databaseNow, event, row } from './fixtures.ts'

interface Inserted {
  id: string
  ready: number
  holdReason: string | null
  isAhead?: number
}

/** Inserts one row by a select, as a fan-out does. */
async function insertScheduled(
  db: OutboxDatabase,
  schedule: Schedule,
  { due, heldFor = 'null' }: { due: OutboxEvent['due']; heldFor?: string },
): Promise<Inserted> {
  const { insert } = insertSelectStatements(db.dialect, { ...event({ due }), ...schedule }, () => ({
    endpointId: raw("'ep_1'"),
    maxAttempts: raw('3'),
    heldFor: raw(heldFor),
    from: raw('(select 1 as one) as receivers'),
  }))
  const { rows } = await db.run<Inserted & object>(insert)
  return rows[0] as Inserted
}

const maxAgeMs = 7 * 86_400_000

export function schedulePromises(holds: Holds): void {
  holds('a row with a time ahead waits for it, whichever way rows start, and is taken then', async ({ db, rival }) => {
    const at = (await databaseNow(db)) + 60 * MINUTE
    for (const due of ['now', 'dispatched'] as const) {
      const { id, ...inserted } = await insertScheduled(db, { deliverAt: at }, { due })
      expect(inserted).toMatchObject({ ready: 0, holdReason: null, isAhead: 1 })
      expect(await row(rival, id)).toMatchObject({
        status: 'pending',
        dueAt: at,
        ready: 0,
        deliverAt: at,
        expiresAt: null,
      })
      expect(await outboxStats(db)).toMatchObject({ scheduled: 1, due: 0, dispatched: 0, oldestDueMs: 0 })
      expect((await claimDueEvents(rival, { limit: 10, now: at - 1 })).claims).toEqual([])
      expect((await sweepPendingEvents(db, { firstSends: 'all', now: at - 1 })).events).toEqual([])
      const { claims } = await claimDueEvents(rival, { limit: 10, now: at })
      expect(claims).toMatchObject([{ id, deliverAt: at }])
      await db.run({ sql: 'delete from pending_events', params: [] })
    }
  })

  holds('a row whose time has passed starts as one without a time', async ({ db }) => {
    const deliverAt = (await databaseNow(db)) - 1
    const now = await insertScheduled(db, { deliverAt }, { due: 'now' })
    expect(now).toMatchObject({ ready: 1, isAhead: 0 })
    const { dueAt, createdAt, deliverAt: stored } = await row(db, now.id)
    expect([dueAt, stored]).toEqual([createdAt, null])
    const dispatched = await insertScheduled(db, { deliverAt }, { due: 'dispatched' })
    expect(dispatched).toMatchObject({ ready: 0, isAhead: 0 })
    expect(await row(db, dispatched.id)).toMatchObject({ dueAt: null, deliverAt: null })
  })

  holds('a row that waits for its time is not held, and one that need not wait is', async ({ db }) => {
    const deliverAt = (await databaseNow(db)) + MINUTE
    const ahead = await insertScheduled(db, { deliverAt }, { due: 'now', heldFor: "'blocked'" })
    expect(await row(db, ahead.id)).toMatchObject({
      status: 'pending',
      holdReason: null,
      heldAt: null,
      dueAt: deliverAt,
    })
    const passed = await insertScheduled(db, { deliverAt: 1 }, { due: 'now', heldFor: "'blocked'" })
    expect(await row(db, passed.id)).toMatchObject({ status: 'held', holdReason: 'blocked', dueAt: null })
  })

  holds("its expiry counts from the later of its time and the insert, by the database's clock", async ({ db }) => {
    const deliverAt = (await databaseNow(db)) + MINUTE
    const expiry = { inMs: 5000 }
    const expiryOf = async (schedule: Schedule) => {
      const { id } = await insertScheduled(db, schedule, { due: 'now' })
      const { expiresAt, createdAt } = await row(db, id)
      return { expiresAt, createdAt }
    }
    expect((await expiryOf({ deliverAt, expiry })).expiresAt).toBe(deliverAt + 5000)
    for (const schedule of [{ expiry }, { deliverAt: 1, expiry }]) {
      const { expiresAt, createdAt } = await expiryOf(schedule)
      expect(expiresAt).toBe(createdAt + 5000)
    }
    expect((await expiryOf({ expiry: { at: 7 } })).expiresAt).toBe(7)
  })

  holds('the age of a row counts from its time', async ({ db }) => {
    const deliverAt = (await databaseNow(db)) + 30 * 86_400_000
    const { id } = await insertScheduled(db, { deliverAt }, { due: 'now' })
    expect((await expireEvents(db, { maxAgeMs, now: deliverAt + maxAgeMs })).ids).toEqual([])
    expect((await expireEvents(db, { maxAgeMs, now: deliverAt + maxAgeMs + 1 })).ids).toEqual([id])
  })

  holds('a replay applies neither time again', async ({ db }) => {
    const deliverAt = (await databaseNow(db)) + MINUTE
    const { id } = await insertScheduled(db, { deliverAt, expiry: { inMs: MINUTE } }, { due: 'now' })
    const now = deliverAt + MINUTE
    expect((await expireEvents(db, { maxAgeMs, now })).ids).toEqual([id])
    expect((await replayEvents(db, { ids: [id] }, { now: now + 1 })).ids).toEqual([id])
    expect(await row(db, id)).toMatchObject({ status: 'pending', ready: 1, deliverAt: null, expiresAt: null })
    expect((await expireEvents(db, { maxAgeMs, now: now + 2 })).ids).toEqual([])
  })
}
