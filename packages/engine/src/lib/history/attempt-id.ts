import { type DialectName, type SqlText, clock, raw, sqlText } from '@keepsend/outbox/internal'

// The ids of one millisecond. An id is the time of the settle, times this, and a place: their order is the order of time. On
// SQLite they stay below 2^53 until 2039; on Postgres sessions take their places from a sequence in blocks.
const IDS_PER_MS: Record<DialectName, number> = { sqlite: 4096, postgres: 1_048_576 }
const PER_MS = { sqlite: raw(String(IDS_PER_MS.sqlite)), postgres: raw(String(IDS_PER_MS.postgres)) }

/** The id of the next attempt, and on SQLite of the one that is `place` behind it in the statement. */
export function nextAttemptId(dialect: DialectName, place: SqlText): SqlText {
  const perMs = PER_MS[dialect]
  if (dialect === 'postgres') return sqlText`${clock()} * ${perMs} + nextval('keepsend_attempt_place') % ${perMs}`
  // There is one writer, so the next id follows the last, also when the clock has stepped back.
  return sqlText`
    (select max(ms * ${perMs}, coalesce((select max(id) from keepsend_attempts), 0) + 1) from keepsend_clock) + ${place}`
}

/** The first id of a time, ms since the epoch. */
export function firstIdAt(dialect: DialectName, ms: SqlText): SqlText {
  return sqlText`(${ms}) * ${PER_MS[dialect]}`
}

/** The time of an id, ms since the epoch. */
export function attemptTime(dialect: DialectName, id: SqlText): SqlText {
  return sqlText`((${id}) / ${PER_MS[dialect]})`
}

/** The same for a time that a caller gives, as digits. */
export function firstIdAtTime(dialect: DialectName, ms: number): string {
  return String(BigInt(idTime(ms)) * BigInt(IDS_PER_MS[dialect]))
}

// 2^63 ids on Postgres: in the year 2248.
const MAX_MS = 2 ** 43 - 1

/** A time that a caller gives; the nearest one that an id can have. */
export function idTime(ms: number): number {
  return Math.max(0, Math.min(ms, MAX_MS))
}

/** The time at which the attempt with this id was settled, ms since the epoch. */
export function settledAt(dialect: DialectName, id: string): number {
  return Number(BigInt(id) / BigInt(IDS_PER_MS[dialect]))
}
