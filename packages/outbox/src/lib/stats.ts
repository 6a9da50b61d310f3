import type { OptionNames } from './options.ts'
import type { OutboxDatabase } from './database.ts'
import { checkBounds, checkNames } from './errors.ts'
import { type OldestRows, oldestRows } from './oldest.ts'
import { clock, limitTo, sqlText } from './statement.ts'

/** How many rows are in which state, and how long the oldest have waited. Every row is in exactly one of the counts. */
export interface OutboxStats extends OldestRows {
  /** Pending and due: a worker should take them soon. */
  due: number
  /** Pending, waiting for the time of a retry or of its event. */
  scheduled: number
  /** Under a live lease. */
  inFlight: number
  /** Dispatched to a queue for the first attempt. */
  dispatched: number
  held: number
  /** Rows of an earlier version: a success deletes its row. */
  completed: number
  failed: number
  /** The counts stopped at `countLimit` rows: each is "at least". */
  truncated: boolean
}

export interface StatsOptions {
  /** Rows to count at most: 1–10,000,000. @default 100_000 */
  countLimit?: number | undefined
  /** The current time, ms since the epoch. @default the database's clock */
  now?: number | undefined
}

export const STATS_OPTIONS = { countLimit: 'number', now: 'number' } satisfies OptionNames<StatsOptions>

/**
 * Counts rows by state, at most `countLimit` of them, so that a backlog of millions does not slow a health check. The
 * ages of the oldest rows do not depend on that limit: see {@link oldestRows}.
 */
export async function outboxStats(db: OutboxDatabase, options: StatsOptions = {}): Promise<OutboxStats> {
  checkNames('outboxStats', STATS_OPTIONS, options)
  const { countLimit = 100_000 } = options
  checkBounds('countLimit', countLimit, 1, 10_000_000)
  const now = clock(options.now)
  const counted = await db.run<{ state: string; count: number }>(sqlText`
    select state as "state", count(*) as "count" from (
      select
        case
          when status <> 'pending' then status
          when ready = 1 then 'due'
          when due_at is null then 'dispatched'
          when due_at <= ${now} then 'due'
          when claimed_at is not null then 'inFlight'
          else 'scheduled'
        end as state
      from pending_events ${limitTo(countLimit + 1)}
    ) as states group by state`)
  const oldest = await oldestRows(db, options.now)

  const count = (wanted: string): number => counted.rows.find(({ state }) => state === wanted)?.count ?? 0
  const total = counted.rows.reduce((sum, row) => sum + row.count, 0)
  return {
    due: count('due'),
    scheduled: count('scheduled'),
    inFlight: count('inFlight'),
    dispatched: count('dispatched'),
    held: count('held'),
    completed: count('completed'),
    failed: count('failed'),
    truncated: total > countLimit,
    ...oldest,
  }
}
