import { expect } from 'vitest'
import { cancelStatement } from '../cancel.ts'
import { claimDueEvents } from '../claim.ts'
import { cleanupOldEvents } from '../cleanup.ts'
import { expireEvents } from '../expire.ts'
import { giveUpStatement } from '../give-up.ts'
import { resumeStatement } from '../hold.ts'
import { lineUpDueEvents } from '../lane.ts'
import { extendLease } from '../lease.ts'
import { replayEvents } from '../replay.ts'
import { retryNowStatement } from '../retry-now.ts'
import { eventIdOf } from '../row-id.ts'
import type { ClaimRef, PendingEvent } from '../row.ts'
import { settleEvents } from '../settle.ts'
import type { Outcome } from '../outcome.ts'
import { raw, sqlText } from '../statement.ts'
import { sweepPendingEvents } from '../sweep.ts'
import { type Holds, MINUTE, databaseNow, findAll, insertRows, moved, refsOf } from './fixtures.ts'

/** A small random number generator (mulberry32): the same seed gives the same story. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

function outcomeOf(claim: ClaimRef, kind: number): Outcome {
  if (kind === 0) return { settle: 'complete', claim }
  if (kind === 1) return { settle: 'fail', claim, error: 'http_404' }
  if (kind === 2) return { settle: 'hold', claim, reason: 'blocked' }
  if (kind === 3) return { settle: 'release', claim }
  return { settle: 'reschedule', claim, delayMs: 30_000, deferral: kind === 4 }
}

/** The rules that a row breaks: it must be in line, due at a known time, dispatched, held with a reason, or settled. */
function faults(row: PendingEvent, now: number): string[] {
  const settled = row.status === 'failed'
  const dispatched = row.status === 'pending' && row.dueAt === null
  const checks: [string, boolean][] = [
    ['attempts within 0 and their maximum', row.attempts >= 0 && row.attempts <= row.maxAttempts],
    ['a time of settling if settled, and only then', (row.completedAt !== null) === settled],
    ['a reason if held, and only then', (row.holdReason !== null) === (row.status === 'held')],
    ['a time of holding if held, and only then', (row.heldAt !== null) === (row.status === 'held')],
    [
      'neither due nor claimed unless pending',
      row.status === 'pending' || (row.dueAt === null && row.claimedAt === null),
    ],
    // So no row is in line under a live lease.
    [
      'in line only while pending, once its time has come',
      row.ready === 0 || (row.status === 'pending' && row.dueAt !== null && row.dueAt <= now),
    ],
    [
      'before its deliver_at only waiting for it, or settled',
      row.deliverAt === null || row.deliverAt <= now || settled || (row.ready === 0 && row.dueAt === row.deliverAt),
    ],
    ['dispatched only while never taken', !dispatched || (moved(row).gen === 0 && row.claimedAt === null)],
  ]
  return checks.flatMap(([rule, holds]) => (holds ? [] : [`${rule}: ${JSON.stringify(row)}`]))
}

export function invariantPromises(holds: Holds): void {
  for (const seed of [1, 2, 3]) {
    holds(`no order of verbs leaves a row in limbo (story ${seed})`, async ({ db, rival }) => {
      const pick = numbers(seed)
      let now = await databaseNow(db)
      let before = new Map<string, PendingEvent>()
      const refs = await refsOf(db, await insertRows(db, 6, { due: 'dispatched', maxAttempts: 2 }))
      await insertRows(db, 10, { due: now, maxAttempts: 3 })
      // Each row has a time at which it expires, and every third that is due waits for another before.
      const [waits, ends] = [now + 5 * MINUTE, now + 10 * MINUTE]
      for (const [index, { id, dueAt }] of (await findAll(db)).entries()) {
        const waiting = sqlText`, deliver_at = ${waits}, due_at = ${waits}, ready = 0`
        const more = dueAt !== null && index % 3 === 0 ? waiting : raw('')
        await db.run(sqlText`update pending_events set expires_at = ${ends + index * MINUTE}${more} where id = ${id}`)
      }

      for (let step = 0; step < 150; step++) {
        const one = pick(2) ? db : rival
        const story = `seed ${seed}, step ${step}`
        let replayed: string[] = []
        now += pick(20_000)
        const verb = pick(10)
        if (verb <= 2) refs.push(...(await claimDueEvents(one, { limit: 1 + pick(5), leaseMs: MINUTE, now })).claims)
        else if (verb <= 6 && refs.length > 0) {
          // Any claim that was ever made, also a stale one: only the current one may change its row.
          const claim = refs[pick(refs.length)] ?? { id: '', gen: 0 }
          const current = before.get(claim.id)
          const { lost } = await settleEvents(one, [outcomeOf(claim, pick(6))], { now })
          const held = current?.status === 'pending' && current.gen === claim.gen
          expect([story, lost.length === 0]).toEqual([story, held])
        } else if (verb === 7) refs.push(...(await sweepPendingEvents(one, { limit: 4, leaseMs: MINUTE, now })).events)
        else if (verb === 8) {
          const how = pick(4)
          const { id = '', gen = 0 } = [...before.values()][pick(before.size)] ?? {}
          if (how === 0) await one.run(resumeStatement(one, { endpointId: 'ep_1', limit: 2, now }))
          else if (how === 1) await one.run(retryNowStatement(one, { id, gen }, { now }))
          else if (how === 2) await one.run(giveUpStatement({ id, gen }, { now }))
          else replayed = (await replayEvents(one, { workspaceId: 'ws_1', endpointId: 'ep_1' }, { limit: 2, now })).ids
        } else {
          if (pick(2)) await lineUpDueEvents(one, { now })
          await extendLease(one, refs.slice(-3), MINUTE, { now })
          const { id } = refs[pick(refs.length)] ?? { id: '' }
          const event = { eventId: eventIdOf(id), workspaceId: 'ws_1', limit: 1 }
          if (pick(3) === 0) await one.run(cancelStatement(one, event))
          await cleanupOldEvents(one, { failedRetentionMs: 200 * MINUTE, batchSize: 1, budgetMs: 0, now })
          await expireEvents(one, { maxAgeMs: 15 * MINUTE, batchSize: 1, now })
        }

        const after = new Map((await findAll(one)).map((row) => [row.id, row]))
        for (const row of after.values()) {
          expect([story, faults(row, now)]).toEqual([story, []])
          const was = before.get(row.id)
          if (!was) continue
          expect([story, row.gen >= was.gen]).toEqual([story, true])
          if (was.status === 'failed' && !replayed.includes(row.id)) expect([story, row]).toEqual([story, was])
        }
        before = after
      }

      // At the end every pending row can still be reached: by a claim, or by the pass over dispatched rows.
      const waiting = [...before.values()].filter(({ status }) => status === 'pending').map(({ id }) => id)
      const later = now + 10_000 * MINUTE
      const swept = await sweepPendingEvents(db, { firstSends: 'all', now: later })
      expect([...swept.events, ...swept.exhausted].map(({ id }) => id).sort()).toEqual(waiting.sort())
    })
  }
}
