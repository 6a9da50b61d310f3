import { type SqlText, isNullRefused, raw, sqlText } from '@keepsend/outbox/internal'
import type { EndpointInput } from './endpoint.ts'
import { EngineError } from '../errors.ts'
import type { Limits } from '../limits.ts'

// Beyond a limit a statement selects null for a not-null column: the whole change is refused, decided by the rows as they are
// when it commits.

/** The channel of a new endpoint's subscription; null if the workspace has more endpoints than its limit. */
export function guardEndpointCount(
  workspaceId: string,
  { endpointsPerWorkspace: most }: Limits,
  channel: SqlText,
): SqlText {
  const counted = sqlText`
    select count(*) from (
      select 1 from keepsend_endpoints as other where other.workspace_id = ${workspaceId} limit ${raw(String(most + 1))}) as counted`
  return sqlText`case when (${counted}) <= ${raw(String(most))} then ${channel} end`
}

/** The pattern of a subscription; null if the endpoint would have more subscriptions than its limit. */
export function guardSubscriptionCount(
  pairs: SqlText,
  { subscriptionsPerEndpoint }: Limits,
  pattern: SqlText,
): SqlText {
  return sqlText`case when ${pairs} <= ${raw(String(subscriptionsPerEndpoint))} then ${pattern} end`
}

/** @throws {EngineError} `invalid_endpoint` if event types × channels exceed the limit */
export function checkSubscriptions(
  { eventTypes = ['*'], channels = [] }: Pick<EndpointInput, 'eventTypes' | 'channels'>,
  { subscriptionsPerEndpoint }: Limits,
): void {
  const pairs = eventTypes.length * Math.max(1, channels.length)
  if (pairs > subscriptionsPerEndpoint) throw tooWide(subscriptionsPerEndpoint, pairs)
}

/** Turns the refusals of the statements above into errors of the engine; returns any other error as it is. */
export function asLimit(error: unknown, { endpointsPerWorkspace, subscriptionsPerEndpoint }: Limits): unknown {
  if (isNullRefused(error, 'keepsend_subscriptions', 'pattern')) return tooWide(subscriptionsPerEndpoint)
  if (!isNullRefused(error, 'keepsend_subscriptions', 'channel')) return error
  return new EngineError(
    'too_many_endpoints',
    `a workspace has at most ${endpointsPerWorkspace} endpoints (limits.endpointsPerWorkspace), and this one has as many`,
    { cause: error },
  )
}

function tooWide(most: number, found?: number): EngineError {
  return new EngineError(
    'invalid_endpoint',
    `eventTypes × channels must be at most ${most} (limits.subscriptionsPerEndpoint); found ${found ?? 'more, together with a concurrent change'}`,
  )
}
