import type { OutboxDatabase } from '@keepsend/outbox'
import { raw, sqlText } from '@keepsend/outbox/internal'
import type { ErrorClass } from '../error-classes.ts'
import { type AttemptOutcome, hasFailed } from '../history/attempt-end.ts'
import { attemptTime, firstIdAtTime } from '../history/attempt-id.ts'
import type { HistoryOptions } from '../history/history-options.ts'
import { retainedAttempts } from '../history/retained-attempts.ts'

/** The last attempt of an endpoint that did not deliver, of whichever reason. */
export interface LastError {
  /** When it was settled, ms since the epoch. */
  at: number
  outcome: Exclude<AttemptOutcome, 'delivered' | 'superseded'>
  httpStatus: number | null
  errorClass: ErrorClass | null
  error: string | null
}

interface ErrorScope {
  /** Undefined: all workspaces. */
  workspaceId: string | undefined
  endpointIds: readonly string[]
  since: number
  until: number | undefined
}

/** Finds the last error of each endpoint in a range, of attempts that are retained, by one look-up each. */
export async function lastErrors(
  db: OutboxDatabase,
  history: HistoryOptions,
  { workspaceId, endpointIds, since, until }: ErrorScope,
): Promise<Map<string, LastError>> {
  const { dialect } = db
  const { least } = retainedAttempts(db, { ...history, workspaceId }, since)
  const before =
    until === undefined ? raw('') : sqlText`and attempt.id < cast(${firstIdAtTime(dialect.name, until)} as bigint)`
  const own = workspaceId === undefined ? raw('') : sqlText`and attempt.workspace_id = ${workspaceId}`
  const { rows } = await db.run<LastError & { endpointId: string }>(sqlText`
    with last as materialized (
      select (
        select max(attempt.id) from keepsend_attempts as attempt ${dialect.by('keepsend_attempts_failed_endpoint')}
        where attempt.endpoint_id = listed.endpoint_id and ${hasFailed('attempt')} and attempt.id >= ${least} ${before}) as id
      from ${dialect.rows('listed', endpointIds, { endpoint_id: ['text', (id) => id] })})
    select attempt.endpoint_id as "endpointId", ${attemptTime(dialect.name, raw('attempt.id'))} as "at",
      attempt.outcome as "outcome", attempt.http_status as "httpStatus", attempt.error_class as "errorClass",
      attempt.error as "error"
    from keepsend_attempts as attempt where attempt.id ${dialect.among(raw('select last.id from last'))} ${own}`)
  return new Map(rows.map(({ endpointId, ...error }) => [endpointId, error]))
}
