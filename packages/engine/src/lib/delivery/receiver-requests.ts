import type { OutboxDatabase } from '@keepsend/outbox'
import { clock, raw, sqlText } from '@keepsend/outbox/internal'
import { anyClaimIsCurrent } from '../health/circuit-breaker.ts'
import type { EndpointStatement } from '../health/endpoint-health.ts'
import type { Notifier } from '../health/operational-webhooks.ts'
import { type RequestedPause, pauseAsRequestedStatement } from '../backlog/pause.ts'
import type { FinishedDelivery } from '../outcome.ts'

/** The statements for requests of the receivers: pause an endpoint for a time, or disable it. */
export function receiverRequests(
  db: OutboxDatabase,
  notifier: Notifier | undefined,
  finished: readonly FinishedDelivery[],
): EndpointStatement[] {
  return [...pausesOf(db, finished), ...finished.flatMap((one) => disablingOf(db, notifier, one))]
}

function pausesOf(db: OutboxDatabase, finished: readonly FinishedDelivery[]): EndpointStatement[] {
  const endpoints = new Map<string, { endpointId: string; version: number; requests: RequestedPause[] }>()
  for (const { claim, outcome } of finished) {
    if (outcome.kind !== 'hold' || !outcome.requestedPause || !outcome.attempt) continue
    const { endpointId, endpointVersion: version } = outcome.attempt
    const key = `${endpointId} ${version}`
    const endpoint = endpoints.get(key) ?? { endpointId, version, requests: [] }
    endpoints.set(key, endpoint)
    endpoint.requests.push({ claim, pauseMs: outcome.requestedPause.pauseMs })
  }
  return [...endpoints.values()].map(({ requests, ...endpoint }) => ({
    statement: pauseAsRequestedStatement(db, endpoint, requests),
    makes: {
      change: 'paused',
      endpointId: endpoint.endpointId,
      pauseMs: Math.max(...requests.map(({ pauseMs }) => pauseMs)),
    },
  }))
}

/** Disables only the version that the attempt read: an endpoint that was changed meanwhile may have a new URL. */
function disablingOf(
  db: OutboxDatabase,
  notifier: Notifier | undefined,
  { claim, outcome }: FinishedDelivery,
): EndpointStatement[] {
  if (outcome.kind !== 'disable_endpoint') return []
  const { endpointId, endpointVersion: version, reason } = outcome
  const condition = sqlText`id = ${endpointId} and version = ${version} and status = 'enabled'`
  const notifications =
    notifier?.endpoint({
      type: 'keepsend.endpoint.disabled',
      endpointId,
      claims: [claim],
      condition,
      details: { reason },
    }) ?? []
  return [
    ...notifications.map((statement) => ({ statement })),
    {
      makes: { change: 'disabled', endpointId, reason },
      statement: sqlText`
      update keepsend_endpoints
      set status = 'disabled', disabled_reason = ${reason}, disabled_at = ${clock()}, version = version + 1, resume_at = ${raw('null')}, updated_at = ${clock()}
      where ${condition} and ${anyClaimIsCurrent(db, [claim])}`,
    },
  ]
}
