import type { OutboxDatabase } from './database.ts'
import { checkBounds, checkNames } from './errors.ts'
import type { OptionNames } from './options.ts'
import type { ClaimRef } from './row.ts'
import { type SqlText, clock, raw, sqlText } from './statement.ts'
import { retryNowSet } from './transitions.ts'

export interface RetryNowOptions {
  /** The row is due this long from now, in ms: 0 or more. @default 0, which puts it in line */
  afterMs?: number | undefined
  /** The current time, ms since the epoch. @default the database's clock */
  now?: number | undefined
}

export const RETRY_NOW_OPTIONS = { afterMs: 'number', now: 'number' } satisfies OptionNames<RetryNowOptions>

/**
 * Makes an unsettled row due, in line in its lane, whatever it waits for: pending under a new `gen`. A worker that holds it loses
 * its claim, and the attempt of that claim does not count. Changes nothing if the row has moved on since its `gen` was read.
 * Returns id and `gen`.
 */
export function retryNowStatement(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  row: ClaimRef,
  options: RetryNowOptions = {},
): SqlText {
  checkNames('retryNowStatement', RETRY_NOW_OPTIONS, options)
  const { afterMs = 0, now } = options
  checkBounds('afterMs', afterMs, 0, Number.MAX_SAFE_INTEGER)
  const dueAt = sqlText`${clock(now)} + ${raw(String(afterMs))}`
  return sqlText`
    update pending_events set ${retryNowSet(dialect, dueAt, now)}
    where ${isUnsettled(row)}
    returning id, gen`
}

/** The condition of a verb on one row: nobody has moved it since its `gen` was read, and it is not settled. */
export function isUnsettled({ id, gen }: ClaimRef): SqlText {
  // The `case` hides the other conditions from the planner, so that it can only use the key.
  return sqlText`id = ${id} and case when gen = ${gen} and status in ('pending', 'held') then true else false end`
}
