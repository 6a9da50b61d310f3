import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import type { ErrorClass } from '../error-classes.ts'
import { type AttemptOutcome, hasFailed } from '../history/attempt-end.ts'
import { attemptTime, firstIdAt } from '../history/attempt-id.ts'

/** The last attempt of an endpoint that did not deliver, of whichever reason. */
export interface LastError {
  /** When it was settled, ms since the epoch. */
  at: number
  outcome: Exclude<AttemptOutcome, 'delivered' | 'superseded'>
  httpStatus: number | null
  errorClass: ErrorClass | null
  error: string | null
}

/** Finds the last error of each endpoint in a range, by one look-up each. */
export async function lastErrors(
  db: OutboxDatabase,
  workspaceId: string | undefined,
  endpointIds: readonly string[],
  { since, until }: { since: number; until: number | undefined },
): Promise<Map<string, LastError>> {
  const { dialect } = db
  const at = (ms: number): SqlText => firstIdAt(dialect.name, sqlText`cast(${ms} as bigint)`)
  const before = until === undefined ? raw('') : sqlText`and attempt.id < ${at(until)}`
  const own = workspaceId === undefined ? raw('') : sqlText`and attempt.workspace_id = ${workspaceId}`
  const { rows } = await db.run<LastError & { endpointId: string }>(sqlText`
    with last as materialized (
      select (
        select max(attempt.id) from keepsend_attempts as attempt ${dialect.by('keepsend_attempts_failed_endpoint')}
        where attempt.endpoint_id = listed.endpoint_id and ${hasFailed('attempt')} and attempt.id >= ${at(since)} ${before}) as id
      from ${dialect.rows('listed', endpointIds, { endpoint_id: ['text', (id) => id] })})
    select attempt.endpoint_id as "endpointId", ${attemptTime(dialect.name, raw('attempt.id'))} as "at",
      attempt.outcome as "outcome", attempt.http_status as "httpStatus", attempt.error_class as "errorClass",
      attempt.error as "error"
    from keepsend_attempts as attempt where attempt.id ${dialect.among(raw('select last.id from last'))} ${own}`)
  return new Map(rows.map(({ endpointId, ...error }) => [endpointId, error]))
}
