import { expect } from 'vitest'
import { claimDueEvents } from '../claim.ts'
import type { OutboxDatabase } from '../database.ts'
import { expireEvents } from '../expire.ts'
import { replayEvents } from '../replay.ts'
import { completeEvent, failEvent, rescheduleEvent, settleEvents } from '../settle.ts'
import { sqlText } from '../statement.ts'
import {
  type Holds,
  MINUTE,
  T,
  claimOne,
  databaseNow,
  eventIdAt,
  find,
  findAll,
  insertClaimed,
  insertCompleted,
  insertRows,
  row,
} from './fixtures.ts'

const maxAgeMs = 7 * 86_400_000

/** Inserts rows and holds them. */
async function insertHeld(db: OutboxDatabase, count: number): Promise<string[]> {
  const ids = await insertRows(db, count)
  const { claims } = await claimDueEvents(db, { limit: 1000, now: T })
  await settleEvents(
    db,
    claims.map((claim) => ({ settle: 'hold', claim, reason: 'blocked' })),
  )
  return ids
}

/** Calls expireEvents until its pass has ended, with a time a week after the database's clock. */
async function expireAll(db: OutboxDatabase, batchSize?: number): Promise<string[]> {
  const now = (await databaseNow(db)) + maxAgeMs + MINUTE
  const ids: string[] = []
  for (;;) {
    const expired = await expireEvents(db, { maxAgeMs, batchSize, now })
    ids.push(...expired.ids)
    if (!expired.more) return ids.sort()
  }
}

export function expirePromises(holds: Holds): void {
  holds(
    'a row that was not settled within its maximum age fails as expired: held, due, waiting or dispatched',
    async ({ db, rival }) => {
      const [held = ''] = await insertHeld(db, 1)
      const [due = ''] = await insertRows(db, 1)
      const [dispatched = ''] = await insertRows(db, 1, { due: 'dispatched' })
      const [waiting = ''] = await insertRows(db, 1, { due: T + maxAgeMs })
      const before = await findAll(db)
      const young = await databaseNow(db)
      expect(await expireEvents(db, { maxAgeMs, now: young })).toEqual({ ids: [], more: false })
      expect(await findAll(db)).toEqual(before)

      expect(await expireAll(db)).toEqual([held, due, dispatched, waiting].sort())
      for (const one of before) {
        expect(await row(rival, one.id)).toMatchObject({
          status: 'failed',
          lastError: 'expired',
          holdReason: null,
          heldAt: null,
          dueAt: null,
          claimedAt: null,
          completedAt: expect.any(Number),
          gen: one.gen + 1,
          attempts: one.attempts,
        })
      }
    },
  )

  holds('a row under a live lease never expires, and does once the lease has expired', async ({ db }) => {
    const begun = (await databaseNow(db)) + maxAgeMs + MINUTE
    await insertRows(db, 1, { due: begun })
    const claim = await claimOne(db, begun)
    expect((await expireEvents(db, { maxAgeMs, now: begun + MINUTE - 1 })).ids).toEqual([])
    expect((await expireEvents(db, { maxAgeMs, now: begun + MINUTE })).ids).toEqual([claim.id])
    expect(await completeEvent(db, claim)).toBe('lost')
  })

  holds('settled rows never expire, and a late settle of an expired row is lost', async ({ db }) => {
    const failed = await insertClaimed(db)
    await failEvent(db, failed, { error: 'e', now: T })
    await insertCompleted(db)
    const before = await findAll(db)
    const retried = await insertClaimed(db)
    await rescheduleEvent(db, retried, { dueAt: 1000 })
    expect(await expireAll(db)).toEqual([retried.id])
    expect(await completeEvent(db, { ...retried, gen: retried.gen + 1 })).toBe('lost')
    expect((await findAll(db)).filter(({ id }) => id !== retried.id)).toEqual(before)
  })

  holds(
    'a row whose expires_at has come fails as expired, held or pending, not under a live lease, before others that are too old',
    async ({ db, rival }) => {
      const [held = ''] = await insertHeld(db, 1)
      const claim = await insertClaimed(db)
      const failed = await insertClaimed(db)
      await failEvent(db, failed, { error: 'e', now: T })
      const [due = ''] = await insertRows(db, 1, { due: 'now' })
      const [dispatched = ''] = await insertRows(db, 1, { due: 'dispatched' })
      const [later = '', none = ''] = await insertRows(db, 2, { due: 'dispatched' })
      await db.run(sqlText`update pending_events set expires_at = ${T} where id <> ${none}`)
      await db.run(sqlText`update pending_events set expires_at = ${T + 2 * MINUTE} where id = ${later}`)
      const expire = (now: number, batchSize?: number) => expireEvents(rival, { maxAgeMs: T, batchSize, now })
      expect(await expire(T - 1)).toEqual({ ids: [], more: false })
      expect(await expire(T, 1)).toMatchObject({ ids: [expect.any(String)], more: true })
      expect(await expire(T)).toMatchObject({ more: true })
      expect(await expire(T)).toEqual({ ids: [], more: false })
      for (const id of [held, due, dispatched])
        expect(await row(db, id)).toMatchObject({ status: 'failed', lastError: 'expired', dueAt: null, expiresAt: T })
      for (const id of [later, none]) expect((await row(db, id)).status).toBe('pending')
      expect((await expire(T + MINUTE)).ids).toEqual([claim.id])
      expect(await completeEvent(db, claim)).toBe('lost')
      expect((await expire(T + 2 * MINUTE)).ids).toEqual([later])
      expect(await row(db, failed.id)).toMatchObject({ lastError: 'e' })
    },
  )

  holds('a replay restarts the age of a row', async ({ db }) => {
    const [id = ''] = await insertHeld(db, 1)
    expect(await expireAll(db)).toEqual([id])
    const replayedAt = (await databaseNow(db)) + 2 * maxAgeMs
    expect((await replayEvents(db, { status: 'failed' }, { now: replayedAt })).ids).toEqual([id])
    expect(await row(db, id)).toMatchObject({ status: 'pending', replayedAt })
    expect((await expireEvents(db, { maxAgeMs, now: replayedAt + maxAgeMs })).ids).toEqual([])
    expect((await expireEvents(db, { maxAgeMs, now: replayedAt + maxAgeMs + 1 })).ids).toEqual([id])
  })

  holds('between two passes over every key, a step reads only keys whose ids are old enough', async ({ db }) => {
    const now = await databaseNow(db)
    await db.run(sqlText`update keepsend_sweep_pass set expiry_ended_at = ${now}`)
    const [past = ''] = await insertRows(db, 1, { eventId: eventIdAt(now - 2 * maxAgeMs) })
    const [young = ''] = await insertRows(db, 1)
    await db.run(sqlText`update pending_events set created_at = created_at - ${2 * maxAgeMs}`)
    expect(await expireEvents(db, { maxAgeMs })).toEqual({ ids: [past], more: false })
    await db.run(sqlText`update keepsend_sweep_pass set expiry_ended_at = expiry_ended_at - ${60 * MINUTE}`)
    expect(await expireEvents(db, { maxAgeMs })).toEqual({ ids: [young], more: false })
  })

  holds('age counts from the insert, whatever the time in the id', async ({ db }) => {
    const now = await databaseNow(db)
    const [past = ''] = await insertRows(db, 1, { eventId: eventIdAt(now - 2 * maxAgeMs) })
    const [future = ''] = await insertRows(db, 1, { eventId: eventIdAt(now + 20 * maxAgeMs) })
    expect((await expireEvents(db, { maxAgeMs, now })).ids).toEqual([])
    expect(await expireAll(db)).toEqual([past, future].sort())
  })

  holds('batches are bounded, and any process continues the pass where the last call ended', async ({ db, rival }) => {
    const ids = await insertHeld(db, 7)
    const now = (await databaseNow(db)) + maxAgeMs + MINUTE
    expect(await expireEvents(db, { maxAgeMs, batchSize: 3, now })).toEqual({ ids: expect.anything(), more: true })
    expect((await findAll(db)).map(({ status }) => status)).toEqual([
      ...Array.from({ length: 3 }, () => 'failed'),
      ...Array.from({ length: 4 }, () => 'held'),
    ])
    expect((await expireEvents(rival, { maxAgeMs, batchSize: 3, now })).ids.sort()).toEqual(ids.slice(3, 6))
    expect(await expireEvents(db, { maxAgeMs, batchSize: 3, now })).toEqual({ ids: ids.slice(6), more: false })
    // The next pass begins at the first key again.
    await replayEvents(db, { ids: ids.slice(0, 1) }, { now: 1000 })
    expect(await expireEvents(db, { maxAgeMs, batchSize: 3, now })).toEqual({ ids: ids.slice(0, 1), more: false })
  })

  holds('two concurrent calls of expireEvents fail each row once', async ({ db, rival }) => {
    const ids = await insertHeld(db, 40)
    const now = (await databaseNow(db)) + maxAgeMs + MINUTE
    const both = await Promise.all([db, rival].map((one) => expireEvents(one, { maxAgeMs, now })))
    expect(both.flatMap((one) => one.ids).sort()).toEqual(ids)
  })

  holds('a row that moves after it was found does not expire', async ({ db, rival }) => {
    const [id = ''] = await insertRows(db, 1)
    const now = T + MINUTE
    // Another worker claims the row after it was found and before it fails.
    const racing: OutboxDatabase = {
      dialect: db.dialect,
      run: (statement) => db.run(statement),
      async atomic(statements) {
        await claimOne(rival, now)
        return db.atomic(statements)
      },
    }
    expect((await expireEvents(racing, { maxAgeMs, now })).ids).toEqual([])
    expect(await find(db, id)).toMatchObject({ status: 'pending', claimedAt: now })
  })

  holds('statements given as alongside commit with the rows, or nothing does', async ({ db }) => {
    await db.run({ sql: 'create table notes (id text not null primary key)', params: [] })
    const [id = ''] = await insertHeld(db, 1)
    const now = (await databaseNow(db)) + maxAgeMs + MINUTE
    const note = (one: { id: string }) => sqlText`insert into notes values (${one.id})`
    const twice = expireEvents(db, { maxAgeMs, now, alongside: (rows) => [...rows.map(note), ...rows.map(note)] })
    await expect(twice).rejects.toThrow()
    expect((await row(db, id)).status).toBe('held')
    await expireEvents(db, { maxAgeMs, now, alongside: (rows) => rows.map(note) })
    expect((await row(db, id)).status).toBe('failed')
    expect((await db.run({ sql: 'select id from notes', params: [] })).rows).toEqual([{ id }])
  })
}
