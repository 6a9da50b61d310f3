import type { ClaimRef, OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, endpointIdOf, raw, sqlText, storable } from '@keepsend/outbox/internal'
import { classOf } from '../error-classes.ts'
import { TEST_TYPE, attemptEnd } from '../history/attempt-end.ts'
import type { HistoryOptions } from '../history/history-options.ts'
import type { FinishedDelivery } from '../outcome.ts'
import { isResolved } from './endpoint-problem.ts'

/** Failed attempts that one settle counts in problems, and their endpoints. */
interface FailedAttempts {
  endpointIds: string[]
  statements: SqlText[]
}

interface FailedAttempt extends ClaimRef {
  place: number
  endpointId: string
  errorClass: string
  httpStatus: number
  error: string
}

// Problems that one settle counts. A settle in which more endpoints or errors fail counts those whose attempts ended first; a
// later failure of the others counts them.
const MAX_PROBLEMS = 10
const MAX_ERROR = 1000

/**
 * Counts the failed attempts of a settle in the problems of their endpoints: one statement, none if no attempt failed. A wait
 * that the receiver asked for is no failure, and test events count in no problem.
 *
 * It goes before the settle, while the claims are current, so that a lost settle counts nothing. On Postgres the caller has
 * locked the deliveries, and then `endpointIds`: settles of one endpoint count one after the other, and the deletion of an
 * endpoint either comes first, and nothing is counted, or deletes what was.
 */
export function countProblems(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  history: HistoryOptions | undefined,
  finished: readonly FinishedDelivery[],
): FailedAttempts {
  const failed = history ? failedAttempts(finished) : []
  if (failed.length === 0) return NONE
  const source = dialect.rows('failed', failed, {
    place: ['integer', ({ place }) => place],
    claim_id: ['text', ({ id }) => id],
    claim_gen: ['integer', ({ gen }) => gen],
    error_class: ['text', ({ errorClass }) => errorClass],
    http_status: ['integer', ({ httpStatus }) => httpStatus],
    error: ['text', ({ error }) => storable(error, MAX_ERROR)],
    beginning: ['text', ({ error }) => beginningOf(storable(error, MAX_ERROR))],
  })
  const statement = sqlText`
    insert into keepsend_problems as problem (endpoint_id, error_class, http_status, workspace_id, state_since, first_seen_at,
      last_seen_at, attempts, deliveries, last_error, last_delivery_id)
    select endpoint_id, error_class, http_status, workspace_id, now, now, now, attempts, deliveries, error, id
    from (
      select claim.endpoint_id, failed.error_class, failed.http_status, claim.workspace_id, ${clock()} as now, failed.error,
        claim.id, count(*) over alike as attempts, sum(${IS_OTHER_ERROR}) over alike as deliveries,
        row_number() over (alike order by failed.place desc) as nth
      from ${source} cross join pending_events as claim
      where claim.id = failed.claim_id and claim.gen = failed.claim_gen and claim.status = 'pending'
        and claim.event_type <> ${TEST_TYPE}
        and exists (select 1 from keepsend_endpoints as endpoint where endpoint.id = claim.endpoint_id)
      window alike as (partition by claim.endpoint_id, failed.error_class, failed.http_status)) as counted
    where nth = 1
    order by endpoint_id, error_class, http_status
    on conflict (endpoint_id, error_class, http_status) do update set
      state = case when ${REOPENS} then 'open' else problem.state end,
      state_since = case when ${REOPENS} then excluded.state_since else problem.state_since end,
      acknowledged_by = case when ${REOPENS} then null else problem.acknowledged_by end,
      opened = problem.opened + case when ${REOPENS} then 1 else 0 end,
      first_seen_at = case when ${REOPENS} then excluded.first_seen_at else problem.first_seen_at end,
      last_seen_at = case when ${REOPENS} then excluded.last_seen_at
        else ${dialect.greatest}(excluded.last_seen_at, problem.first_seen_at) end,
      attempts = problem.attempts + excluded.attempts,
      deliveries = problem.deliveries + excluded.deliveries,
      last_error = excluded.last_error,
      last_delivery_id = excluded.last_delivery_id`
  return { endpointIds: [...new Set(failed.map(({ endpointId }) => endpointId))], statements: [statement] }
}

const NONE: FailedAttempts = { endpointIds: [], statements: [] }

const REOPENS = isResolved('problem', raw('excluded.last_seen_at'))

// The row still has the error before this one. Its status is that of the last answer, so it says nothing where there was none.
const IS_OTHER_ERROR = raw(`case when substr(claim.last_error || ':', 1, length(failed.beginning)) = failed.beginning
          and (failed.http_status = 0 or failed.http_status = claim.last_status) then 0 else 1 end`)

/** The class or the status that an error begins with, and a colon. */
function beginningOf(error: string): string {
  return `${error.split(':', 1)[0]}:`
}

/** The failed attempts of the first problems, in the order in which the attempts ended. */
function failedAttempts(finished: readonly FinishedDelivery[]): FailedAttempt[] {
  const failed: FailedAttempt[] = []
  const problems = new Set<string>()
  for (const [place, { claim, outcome }] of finished.entries()) {
    const end = outcome.record && attemptEnd(outcome)
    if (end?.error === undefined || (end.outcome !== 'retry' && end.outcome !== 'failed')) continue
    const { error, httpStatus = 0 } = end
    const errorClass = classOf(error, httpStatus) ?? 'other'
    const endpointId = endpointIdOf(claim.id)
    const problem = `${endpointId} ${errorClass} ${httpStatus}`
    if (problems.size === MAX_PROBLEMS && !problems.has(problem)) continue
    problems.add(problem)
    failed.push({ id: claim.id, gen: claim.gen, place, endpointId, errorClass, httpStatus, error })
  }
  return failed
}
