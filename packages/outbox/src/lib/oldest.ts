import { type OutboxDatabase, onlyRow } from './database.ts'
import { readLook } from './lane.ts'
import { type SqlText, clock, raw, sqlText } from './statement.ts'

/** How long the oldest deliveries have waited, in ms; 0 when none waits. */
export interface OldestRows {
  /** Of the rows that may be sent now: due, or in line. It grows if no worker keeps up. */
  oldestDueMs: number
  /**
   * The same with held rows, whose receiver is disabled, paused, rate-limited or failing: each counts from its event, or
   * from its last replay.
   */
  oldestWaitingMs: number
}

// The first lane of each of so many workspaces, and the oldest held event of each of so many endpoints: a few look-ups
// each, however many rows there are.
const WORKSPACES = 100
const ENDPOINTS = 1000

/**
 * Returns how long the longest-waiting row has been due or in line, in ms; 0 when none waits. Exact for rows that
 * waited for a time; of rows in line it reads the first lane of each of 100 workspaces; held rows do not count. A few
 * index look-ups, whatever the backlog.
 */
export async function oldestDue(db: OutboxDatabase, now?: number): Promise<number> {
  return (await read(db, { now, withHeld: false })).oldestDueMs
}

/**
 * Returns the ages of the oldest rows: {@link oldestDue}, and the same with held rows, of which it reads the oldest
 * event of each of 1,000 endpoints. Index look-ups alone, whatever the backlog.
 */
export function oldestRows(db: OutboxDatabase, now?: number): Promise<OldestRows> {
  return read(db, { now, withHeld: true })
}

async function read(db: OutboxDatabase, options: OldestOptions): Promise<OldestRows> {
  const { rows } = await db.run<Record<'inLineMs' | 'dueMs' | 'heldMs', number | null>>(oldestStatement(db, options))
  const { inLineMs, dueMs, heldMs } = onlyRow(rows)
  const oldestDueMs = Math.max(0, inLineMs ?? 0, dueMs ?? 0)
  return { oldestDueMs, oldestWaitingMs: Math.max(oldestDueMs, heldMs ?? 0) }
}

interface OldestOptions {
  now?: number | undefined
  withHeld: boolean
}

export function oldestStatement({ dialect }: Pick<OutboxDatabase, 'dialect'>, options: OldestOptions): SqlText {
  const now = clock(options.now)
  const lane = dialect.inLane(raw('lane.w'), raw('lane.e'))
  const held = dialect.heldOf(raw('holder.id'))
  const byHeld = dialect.by('pending_events_held')
  const next = (behind: SqlText): SqlText => sqlText`(
        select endpoint_id from pending_events ${byHeld}
        where status = 'held' and endpoint_id > ${behind} order by endpoint_id, id limit 1)`
  const holders = sqlText`,
    holder (id, n) as (
      select ${next(raw("''"))}, 1
      union all
      select ${next(raw('holder.id'))}, n + 1 from holder where holder.id is not null and n < ${raw(String(ENDPOINTS))})`
  const heldMs = sqlText`(
      select max(${now} - (
        select coalesce(replayed_at, deliver_at, created_at) from pending_events ${byHeld}
        where ${held.where} order by ${held.oldestFirst} limit 1)) from holder where holder.id is not null)`
  return sqlText`
    ${dialect.lanes(readLook({ workspaces: WORKSPACES, endpoints: 1 }))}${options.withHeld ? holders : raw('')}
    select (
      select max(${now} - (
        select due_at from pending_events ${dialect.by('pending_events_ready')}
        where ${lane.where} order by ${lane.order} limit 1)) from lane) as "inLineMs", (
      select ${now} - due_at from pending_events ${dialect.by('pending_events_due')}
      where status = 'pending' and due_at is not null and ready = 0 order by due_at, id limit 1) as "dueMs",
      ${options.withHeld ? heldMs : raw('null')} as "heldMs"`
}
