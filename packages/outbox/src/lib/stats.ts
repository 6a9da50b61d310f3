import type { OptionNames } from './options.ts'
import type { OutboxDatabase } from './database.ts'
import { checkBounds, checkNames } from './errors.ts'
import { oldestInLine } from './lane.ts'
import { clock, limitTo, raw, sqlText } from './statement.ts'

/** How many rows are in which state. Every row is in exactly one of the counts. */
export interface OutboxStats {
  /** Pending and due: a worker should take them soon. */
  due: number
  /** Pending, waiting for the time of a retry. */
  scheduled: number
  /** Under a live lease. */
  inFlight: number
  /** Dispatched to a queue for the first attempt. */
  dispatched: number
  held: number
  completed: number
  failed: number
  /** The counts stopped at `countLimit` rows: each is "at least". */
  truncated: boolean
  /** Age in ms of the row that has waited longest past its due time, held rows included; 0 when none waits. */
  oldestDueMs: number
}

export interface StatsOptions {
  /** Rows to count at most: 1–10,000,000. @default 100_000 */
  countLimit?: number | undefined
  /** The current time, ms since the epoch. @default the database's clock */
  now?: number | undefined
}

export const STATS_OPTIONS = { countLimit: 'number', now: 'number' } satisfies OptionNames<StatsOptions>

/**
 * Returns how long the longest-waiting row has waited past its due time, in ms; 0 when none waits. Exact for rows that
 * waited for a time; of rows in line it reads the first lane of each of 100 workspaces; held rows do not count. A few
 * index look-ups, whatever the backlog.
 */
export async function oldestDue(db: OutboxDatabase, now?: number): Promise<number> {
  const { rows } = await db.run<{ age: number }>(sqlText`
    select ${clock(now)} - due_at as "age" from pending_events ${db.dialect.by('pending_events_due')}
    where status = 'pending' and due_at is not null and ready = 0 order by due_at, id ${raw('limit 1')}`)
  return Math.max(await oldestInLine(db, clock(now)), rows[0]?.age ?? 0)
}

/**
 * Counts rows by state, at most `countLimit` of them, so that a backlog of millions does not slow a health check. Also
 * returns the age of the oldest due row: exact for rows that waited for a time; of rows in line it reads the first lane
 * of each of 100 workspaces.
 */
export async function outboxStats(db: OutboxDatabase, options: StatsOptions = {}): Promise<OutboxStats> {
  checkNames('outboxStats', STATS_OPTIONS, options)
  const { countLimit = 100_000 } = options
  checkBounds('countLimit', countLimit, 1, 10_000_000)
  const now = clock(options.now)
  const counted = await db.run<{ state: string; count: number; since: number | null; now: number }>(sqlText`
    select state as "state", count(*) as "count", min(waiting_since) as "since", ${now} as "now" from (
      select
        case
          when status <> 'pending' then status
          when ready = 1 then 'due'
          when due_at is null then 'dispatched'
          when due_at <= ${now} then 'due'
          when claimed_at is not null then 'inFlight'
          else 'scheduled'
        end as state,
        case when status = 'held' then created_at end as waiting_since
      from pending_events ${limitTo(countLimit + 1)}
    ) as states group by state`)
  const waitingMs = await oldestDue(db, options.now)

  const of = (wanted: string) => counted.rows.find(({ state }) => state === wanted)
  const count = (state: string): number => of(state)?.count ?? 0
  const held = of('held')
  const heldMs = held ? held.now - (held.since ?? held.now) : 0
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
    oldestDueMs: Math.max(heldMs, waitingMs),
  }
}
