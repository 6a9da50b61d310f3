import type { OutboxDatabase, TakeOptions } from './database.ts'
import { checkBounds } from './errors.ts'
import { firstEventIdAt } from './event.ts'
import type { PendingEvent, SettleResult } from './row.ts'
import { completeEvent, failEvent, settleEvents } from './settle.ts'

export interface SweepOptions {
  /** Rows a tick at most, half of them reserved for lost first sends: 2–10,000. @default 1000 */
  limit?: number
  /** How long a swept row is left to the queue, in ms; doubled with each `gen`, up to 256 times. @default 120_000 */
  leaseMs?: number
  /**
   * Which handed-off rows (`due_at` null) to look for, besides all that are due.
   *
   * - `recent`: those whose id is older than a lease and younger than 10 minutes. Reads only that window.
   * - `{ after }`: all older than a lease, by cursor: half of `limit` keys are read, and `cursor` in the answer is the
   *   next `after` (start with `''`). For an hourly pass.
   * - `none`
   * @default 'recent'
   */
  firstSends?: 'recent' | 'none' | { after: string }
  /** Whether to take rows that are due as well; a database with a poller of its own leaves them to it. @default true */
  due?: boolean
  /** The time to go by, ms since the epoch. @default the database's clock */
  now?: number
}

/** A row that fell through, now in the sweeper's hand under its new `gen`: re-enqueue it, or settle it here. */
export interface SweptEvent extends PendingEvent {
  complete(): Promise<SettleResult>
  fail(error: string): Promise<SettleResult>
  /** Puts it off under another `gen`; like the sweep itself, charges no attempt. */
  reschedule(delayMs: number): Promise<SettleResult>
}

export interface Swept {
  events: SweptEvent[]
  /** Rows found with their attempts used up: already `failed` when this resolves. */
  dead: PendingEvent[]
  /** Where the next `{ after }` pass goes on; null when it came to the end. */
  cursor: string | null
}

const FIRST_SEND_WINDOW_MS = 600_000

/**
 * Finds what no worker will come back for: rows whose time or lease has passed, and rows handed to a queue whose
 * message never came. Takes each (`gen` + 1, a lease) so that concurrent sweepers get disjoint sets, charges no
 * attempt, and delivers nothing: the caller hands the rows to its queue.
 */
export async function sweepPendingEvents(db: OutboxDatabase, options: SweepOptions = {}): Promise<Swept> {
  const { limit = 1000, leaseMs = 120_000, firstSends = 'recent', due = true } = options
  checkBounds('limit', limit, 2, 10_000)
  checkBounds('leaseMs', leaseMs, 1000, 86_400_000)
  const now = options.now ?? (await databaseTime(db))
  const taken: PendingEvent[] = []
  const take = async (rows: TakeOptions['rows'], most: number): Promise<void> => {
    if (most <= 0) return
    const result = await db.run(db.dialect.take({ rows, as: 'sweep', limit: most, leaseMs, now: options.now }))
    taken.push(...(result.rows as unknown as PendingEvent[]))
  }

  // First sends first, and at most half: neither a queue outage nor a due backlog can starve the other.
  const reserved = Math.ceil(limit / 2)
  let cursor: string | null = null
  if (firstSends === 'recent') {
    const fromId = firstEventIdAt(now - FIRST_SEND_WINDOW_MS)
    await take({ kind: 'first-sends', fromId, toId: firstEventIdAt(now - leaseMs) }, reserved)
  } else if (firstSends !== 'none') {
    const last = await lastKeyOf(db, firstSends.after, reserved)
    if (last.key !== null) {
      const rows = {
        kind: 'handed-off',
        afterId: firstSends.after,
        toId: last.key,
        createdBefore: now - leaseMs,
      } as const
      await take(rows, reserved)
      if (last.full) cursor = last.key
    }
  }
  if (due) await take({ kind: 'due' }, limit - taken.length)

  return {
    events: taken.filter((row) => row.status === 'pending').map((row) => withCallbacks(db, row, options.now)),
    dead: taken.filter((row) => row.status === 'failed'),
    cursor,
  }
}

function withCallbacks(db: OutboxDatabase, row: PendingEvent, now: number | undefined): SweptEvent {
  const time = now === undefined ? {} : { now }
  return {
    ...row,
    complete: () => completeEvent(db, row, time),
    fail: (error) => failEvent(db, row, { error, ...time }),
    reschedule: async (delayMs) => {
      // A release, not a reschedule: nothing was sent, and the settle of an unclaimed row would charge an attempt.
      const { lost } = await settleEvents(db, [{ settle: 'release', claim: row, delayMs }], time)
      return lost.length === 0 ? 'ok' : 'lost'
    },
  }
}

async function databaseTime(db: OutboxDatabase): Promise<number> {
  const { rows } = await db.run({ sql: 'select ms as "now" from keepsend_clock', params: [] })
  return Number(rows[0]?.['now'])
}

async function lastKeyOf(
  db: OutboxDatabase,
  after: string,
  limit: number,
): Promise<{ key: string | null; full: boolean }> {
  const { rows } = await db.run({
    sql: `select max(id) as "key", count(*) as "count"
      from (select id from pending_events where id > ? order by id limit cast(? as bigint)) as keys`,
    params: [after, limit],
  })
  return { key: (rows[0]?.['key'] as string | null | undefined) ?? null, full: Number(rows[0]?.['count']) === limit }
}
