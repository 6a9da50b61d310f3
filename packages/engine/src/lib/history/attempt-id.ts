import { type DialectName, type SqlText, clock, raw, sqlText } from '@keepsend/outbox/internal'

// The ids of one millisecond. An id is the time of the settle, times this, and a place: their order is the order of time. On
// SQLite they stay below 2^53 until 2039; on Postgres sessions take their places from a sequence in blocks.
const PER_MS: Record<DialectName, SqlText> = { sqlite: raw('4096'), postgres: raw('1048576') }

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
