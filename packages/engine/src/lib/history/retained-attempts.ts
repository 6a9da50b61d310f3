import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, onlyRow, raw, sqlText } from '@keepsend/outbox/internal'
import { firstIdAt, firstIdAtTime } from './attempt-id.ts'
import type { HistoryOptions } from './history-options.ts'
import { ownRetention } from './workspace-retention.ts'

const DAY_MS = 86_400_000

/** How long attempts are retained, and of which workspace; undefined: of all. */
interface Retention extends Pick<HistoryOptions, 'retentionMs' | 'bodiesRetentionMs'> {
  workspaceId: string | undefined
}

/** Which attempts are retained. */
interface RetainedAttempts {
  /** The first id within the retention, and not before `since`. */
  least: SqlText
  /** Whether the headers and the body of an `attempt` are retained. */
  hasBody: SqlText
}

/** The attempts that are retained, by the clock of the statement. */
export function retainedAttempts(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { retentionMs, bodiesRetentionMs, workspaceId }: Retention,
  since?: number,
): RetainedAttempts {
  const own = (column: 'attempts_ms' | 'bodies_ms', mostMs: number): SqlText =>
    firstIdAt(dialect.name, sqlText`${clock()} - ${ownRetention({ dialect }, column, { workspaceId, mostMs })}`)
  const first = own('attempts_ms', retentionMs)
  return {
    least:
      since === undefined
        ? first
        : sqlText`${dialect.greatest}(${first}, cast(${firstIdAtTime(dialect.name, since)} as bigint))`,
    hasBody: sqlText`attempt.id >= ${own('bodies_ms', bodiesRetentionMs)}`,
  }
}

/**
 * Conditions on the ids of an `attempt` that prune partitions before Postgres plans each of them; none on SQLite. Both ends are
 * numbers, from a clock that is read before: others do not prune. An attempt with a later time than a day from now is not listed
 * until then: its clock was wrong.
 */
export async function partitionBounds(
  db: OutboxDatabase,
  { retentionMs = Infinity }: Partial<Pick<HistoryOptions, 'retentionMs'>>,
  { since = 0, upper }: { since?: number | undefined; upper: bigint },
): Promise<SqlText[]> {
  const { name } = db.dialect
  if (name !== 'postgres') return []
  const { now } = onlyRow((await db.run<{ now: number }>(raw('select ms as "now" from keepsend_clock'))).rows)
  const end = BigInt(firstIdAtTime(name, now + DAY_MS))
  return [
    sqlText`attempt.id >= cast(${firstIdAtTime(name, Math.max(since, now - retentionMs))} as bigint)`,
    sqlText`attempt.id < cast(${String(upper < end ? upper : end)} as bigint)`,
  ]
}
