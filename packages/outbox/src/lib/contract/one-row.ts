import { expect } from 'vitest'
import { claimDueEvents, claimEvents } from '../claim.ts'
import type { OutboxDatabase } from '../database.ts'
import { giveUpStatement } from '../give-up.ts'
import { beginEvents, extendLease } from '../lease.ts'
import { replayEvents } from '../replay.ts'
import { retryNowStatement } from '../retry-now.ts'
import type { ClaimRef } from '../row.ts'
import { failEvent, settleEvents } from '../settle.ts'
import { type Statement, sqlText } from '../statement.ts'
import { sweepPendingEvents } from '../sweep.ts'
import {
  type Holds,
  MINUTE,
  T,
  claimOne,
  everyOutcome,
  findAll,
  insertClaimed,
  insertRows,
  refOf,
  row,
} from './fixtures.ts'

type Verb = (db: OutboxDatabase, ref: ClaimRef) => Statement

const retryNow: Verb = (db, ref) => retryNowStatement(db, ref, { now: T })
const giveUp: Verb = (_db, ref) => giveUpStatement(ref, { now: T })
const VERBS = { 'a retry now': retryNow, 'a give-up': giveUp }

/** Whether the verb moved the row. */
async function moves(db: OutboxDatabase, verb: Verb, ref: ClaimRef): Promise<boolean> {
  const { rows } = await db.run<ClaimRef>(verb(db, ref))
  expect(rows).toEqual(rows.length === 0 ? [] : [{ id: ref.id, gen: ref.gen + 1 }])
  return rows.length === 1
}

/** A row in each state that is not settled. */
async function everyState(db: OutboxDatabase): Promise<Record<string, string>> {
  const held = await insertClaimed(db)
  await settleEvents(db, [{ settle: 'hold', claim: held, reason: 'blocked' }])
  const claimed = await insertClaimed(db)
  const waiting = await insertClaimed(db)
  await settleEvents(db, [{ settle: 'reschedule', claim: waiting, delayMs: MINUTE, error: 'e' }], { now: T })
  const crashedAt = T - MINUTE - 1
  const crashed = await insertClaimed(db, { due: crashedAt }, crashedAt)
  const [due = ''] = await insertRows(db, 1)
  const [dispatched = ''] = await insertRows(db, 1, { due: 'dispatched' })
  const [inLine = ''] = await insertRows(db, 1, { due: 'now' })
  return { held: held.id, claimed: claimed.id, waiting: waiting.id, crashed: crashed.id, due, dispatched, inLine }
}

export function oneRowPromises(holds: Holds): void {
  holds(
    'a retry now puts a row of each state in line under a new gen, and the attempt of its claim does not count',
    async ({ db, rival }) => {
      const states = await everyState(db)
      for (const [state, id] of Object.entries(states)) {
        const before = await row(db, id)
        expect([state, await moves(rival, retryNow, before)]).toEqual([state, true])
        expect({ state, ...(await row(db, id)) }).toEqual({
          state,
          ...before,
          status: 'pending',
          holdReason: null,
          heldAt: null,
          gen: before.gen + 1,
          dueAt: T,
          ready: 1,
          claimedAt: null,
          attempts: before.attempts - (before.claimedAt === null ? 0 : 1),
        })
      }
      const { claims, exhausted } = await claimDueEvents(db, { limit: 10, now: T })
      expect([claims.map(({ id }) => id), exhausted]).toEqual([Object.values(states).sort(), []])
    },
  )

  holds('a give-up fails a row of each state under a new gen, and a replay sends it again', async ({ db, rival }) => {
    const states = await everyState(db)
    for (const [state, id] of Object.entries(states)) {
      const before = await row(db, id)
      expect([state, await moves(rival, giveUp, before)]).toEqual([state, true])
      expect({ state, ...(await row(db, id)) }).toEqual({
        state,
        ...before,
        status: 'failed',
        holdReason: null,
        heldAt: null,
        gen: before.gen + 1,
        dueAt: null,
        ready: 0,
        claimedAt: null,
        completedAt: T,
        lastError: 'given_up',
      })
    }
    expect(await claimDueEvents(db, { limit: 10, now: T + 10 * MINUTE })).toEqual({ claims: [], exhausted: [] })
    const ids = Object.values(states).sort()
    const replayed = await replayEvents(db, { workspaceId: 'ws_1', endpointId: 'ep_1' }, { now: T })
    expect(replayed.ids.sort()).toEqual(ids)
  })

  holds('a retry now after a time makes the row due then, in no line', async ({ db }) => {
    const { held = '' } = await everyState(db)
    await db.run(retryNowStatement(db, await refOf(db, held), { afterMs: MINUTE, now: T }))
    expect(await row(db, held)).toMatchObject({ status: 'pending', dueAt: T + MINUTE, ready: 0 })
  })

  holds('a retry now of a row whose last attempt is in flight allows that attempt again', async ({ db }) => {
    const claim = await insertClaimed(db, { maxAttempts: 1 })
    expect(await moves(db, retryNow, claim)).toBe(true)
    expect(await claimOne(db)).toMatchObject({ id: claim.id, attempts: 1, crashes: 0 })
  })

  for (const [name, verb] of Object.entries(VERBS)) {
    holds(`no late settle, renewal or message of a row changes it after ${name}`, async ({ db, rival }) => {
      const claim = await insertClaimed(db)
      const [dispatched = ''] = await insertRows(db, 1, { due: 'dispatched' })
      const message = await refOf(db, dispatched)
      const { claims } = await claimEvents(db, [message], { now: T })
      for (const ref of [claim, ...claims]) expect(await moves(rival, verb, ref)).toBe(true)
      const after = await findAll(db)
      for (const ref of [claim, ...claims]) {
        for (const outcome of everyOutcome(ref)) {
          expect((await settleEvents(db, [outcome], { now: T })).lost).toEqual([ref])
        }
        expect(await extendLease(db, [ref], MINUTE, { now: T })).toEqual([ref])
      }
      expect((await beginEvents(db, [message])).stale).toEqual([dispatched])
      expect((await claimEvents(db, [message], { now: T })).claims).toEqual([])
      expect(await findAll(db)).toEqual(after)
    })

    holds(`${name} changes no settled row, and none that has moved since it was read`, async ({ db }) => {
      const failed = await insertClaimed(db)
      await failEvent(db, failed, { error: 'e', now: T })
      const { claimed: id = '' } = await everyState(db)
      const stale = { id, gen: (await refOf(db, id)).gen - 1 }
      const before = await findAll(db)
      for (const ref of [await refOf(db, failed.id), stale, { id: 'evt_none', gen: 0 }]) {
        expect(await moves(db, verb, ref)).toBe(false)
      }
      expect(await findAll(db)).toEqual(before)
    })

    holds(`of ${name}, a claim, a settle and a sweep that race for a row, one wins`, async ({ db, rival }) => {
      for (let round = 0; round < 12; round++) {
        const claim = await insertClaimed(db, { due: 1 }, 1)
        const one = round % 2 ? db : rival
        const other = round % 2 ? rival : db
        const rivals = [
          async () => (await claimDueEvents(other, { limit: 1, now: T })).claims.length === 1,
          async () => (await settleEvents(other, [{ settle: 'complete', claim }], { now: T })).lost.length === 0,
          async () => (await sweepPendingEvents(other, { limit: 2, firstSends: 'none', now: T })).events.length === 1,
          async () => moves(other, verb, claim),
        ]
        const rule = rivals[round % rivals.length] ?? (async () => false)
        const [moved, beaten] = await Promise.all([moves(one, verb, claim), rule()])
        // A retry now leaves the row in line, where a claim or a sweep may take it next; a settle never may.
        const both = verb === retryNow && (round % rivals.length) % 2 === 0 && moved && beaten
        expect([round, moved !== beaten || both]).toEqual([round, true])
        await db.run(sqlText`delete from pending_events`)
      }
    })
  }
}
