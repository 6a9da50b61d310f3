import type { OptionNames } from './options.ts'
import { type OutboxDatabase, onlyRow } from './database.ts'
import { checkBounds, checkNames } from './errors.ts'
import { firstEventIdAt } from './event.ts'
import { type EventState, type SettleStatus, readPendingEvents } from './row.ts'
import { completeEvent, failEvent, settleEvents } from './settle.ts'
import { sqlText } from './statement.ts'
import { takeInTurn } from './lane.ts'
import { takeStatement } from './take.ts'
import type { TakeOptions } from './take-options.ts'

export interface SweepOptions {
  /** Rows a tick at most, half of them reserved for lost first deliveries: 2–10,000. @default 1000 */
  limit?: number | undefined
  /**
   * How long a swept row belongs to the queue, in ms; doubled with each `gen`, up to 256 times, but never longer than
   * the age of the row. @default 120_000
   */
  leaseMs?: number | undefined
  /**
   * Which dispatched rows (`due_at` null) to look for, besides all rows that are due.
   *
   * - `recent`: rows whose id is older than a lease and younger than 10 minutes (or two leases, if that is longer).
   *   Reads only that window.
   * - `all`: those, and a step of the pass over every row older than a lease. A pass starts an hour after the start of
   *   the last one, whichever process ran it. A step reads as many keys as `limit` leaves, and `more` asks for the next
   *   step.
   * - `none`
   *
   * @default 'recent'
   */
  firstSends?: 'recent' | 'all' | 'none' | undefined
  /**
   * Whether to take rows that are due as well. With a poller on the same database, the poller takes them. @default true
   */
  due?: boolean | undefined
  /** Rows in line of one workspace at most: 1–1,000. @default as many as there is room for */
  perWorkspace?: number | undefined
  /** The current time, ms since the epoch. @default the database's clock */
  now?: number | undefined
}

export const SWEEP_OPTIONS = {
  limit: 'number',
  leaseMs: 'number',
  firstSends: 'text',
  due: 'boolean',
  perWorkspace: 'number',
  now: 'number',
} satisfies OptionNames<SweepOptions>

/** An orphaned row, leased by the sweep under its new `gen`: dispatch it again, or settle it here. */
export interface SweptEvent extends EventState {
  complete(): Promise<SettleStatus>
  fail(error: string): Promise<SettleStatus>
  /** Reschedules it under another `gen`. Like the sweep itself, this does not count as an attempt. */
  reschedule(delayMs: number): Promise<SettleStatus>
}

export interface SweepResult {
  events: SweptEvent[]
  /** Rows whose attempts were exhausted: already `failed` when this resolves. */
  exhausted: EventState[]
  /** The pass over dispatched rows has not reached its end. */
  more: boolean
}

const FIRST_SEND_WINDOW_MS = 600_000
const PASS_EVERY_MS = 3_600_000

/**
 * Finds rows that no worker or message would deliver: rows whose due time or lease has passed, and dispatched rows
 * whose message was lost. Takes each under a new `gen` and a lease, so that concurrent sweeps get disjoint rows. It
 * counts no attempt and delivers nothing: the caller dispatches the rows.
 */
export async function sweepPendingEvents(db: OutboxDatabase, options: SweepOptions = {}): Promise<SweepResult> {
  checkNames('sweepPendingEvents', SWEEP_OPTIONS, options)
  const { limit = 1000, leaseMs = 120_000, firstSends = 'recent', due = true, perWorkspace } = options
  checkBounds('limit', limit, 2, 10_000)
  checkBounds('leaseMs', leaseMs, 1000, 86_400_000)
  if (perWorkspace !== undefined) checkBounds('perWorkspace', perWorkspace, 1, 1000)
  const now = options.now ?? (await databaseTime(db))
  const taken: EventState[] = []
  const take = async (rows: TakeOptions['rows'], most: number): Promise<number> => {
    const how = { rows, as: 'sweep', limit: most, leaseMs, now: options.now } as const
    const result = await db.run(takeStatement(db.dialect, how))
    taken.push(...readPendingEvents(result.rows))
    return result.rows.length
  }

  // First deliveries first, but at most half: neither a queue outage nor a due backlog can starve the other.
  const reserved = Math.ceil(limit / 2)
  let more = false
  if (firstSends !== 'none') {
    const fromId = firstEventIdAt(now - Math.max(FIRST_SEND_WINDOW_MS, 2 * leaseMs))
    await take({ kind: 'first-sends', fromId, toId: firstEventIdAt(now - leaseMs) }, reserved)
  }
  if (firstSends === 'all') {
    const pass = await readPass(db)
    const begins = pass.afterId === null && now - pass.beganAt >= PASS_EVERY_MS
    if (begins || pass.afterId !== null) {
      const afterId = pass.afterId ?? ''
      const keys = Math.max(1, reserved - taken.length)
      const last = await lastKeyOf(db, afterId, keys)
      if (last.key !== null) {
        await take({ kind: 'dispatched', afterId, toId: last.key, createdBefore: now - leaseMs }, keys)
      }
      more = last.full
      await writePass(db, { beganAt: begins ? now : pass.beganAt, afterId: last.full ? last.key : null })
    }
  }
  if (due && taken.length < limit) await takeInTurn(db, { limit: limit - taken.length, perWorkspace }, take)

  return {
    events: taken.filter((row) => row.status === 'pending').map((row) => withCallbacks(db, row, options.now)),
    exhausted: taken.filter((row) => row.status === 'failed'),
    more,
  }
}

function withCallbacks(db: OutboxDatabase, row: EventState, now: number | undefined): SweptEvent {
  const time = { now }
  return {
    ...row,
    complete: () => completeEvent(db, row),
    fail: (error) => failEvent(db, row, { error, ...time }),
    reschedule: async (delayMs) => {
      // A release, not a reschedule: nothing was sent, and the settle of an unclaimed row would count an attempt.
      const { lost } = await settleEvents(db, [{ settle: 'release', claim: row, delayMs }], time)
      return lost.length === 0 ? 'ok' : 'lost'
    },
  }
}

async function databaseTime(db: OutboxDatabase): Promise<number> {
  const { rows } = await db.run<{ now: number }>({ sql: 'select ms as "now" from keepsend_clock', params: [] })
  return onlyRow(rows).now
}

/** The position of the pass over dispatched rows; `afterId` is null between two passes. */
interface Pass {
  beganAt: number
  afterId: string | null
}

async function readPass(db: OutboxDatabase): Promise<Pass> {
  const { rows } = await db.run<Pass>({
    sql: 'select began_at as "beganAt", after_id as "afterId" from keepsend_sweep_pass',
    params: [],
  })
  return onlyRow(rows)
}

// Stored after the step: a crash in between repeats the step, and concurrent sweeps take disjoint rows of it.
async function writePass(db: OutboxDatabase, { beganAt, afterId }: Pass): Promise<void> {
  await db.run(sqlText`update keepsend_sweep_pass set began_at = ${beganAt}, after_id = ${afterId}`)
}

async function lastKeyOf(
  db: OutboxDatabase,
  after: string,
  limit: number,
): Promise<{ key: string | null; full: boolean }> {
  const { rows } = await db.run<{ key: string | null; count: number }>({
    sql: `select max(id) as "key", count(*) as "count"
      from (select id from pending_events where id > ? order by id limit cast(? as bigint)) as keys`,
    params: [after, limit],
  })
  const { key, count } = onlyRow(rows)
  return { key, full: count === limit }
}
