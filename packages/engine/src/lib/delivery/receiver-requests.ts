import type { OutboxDatabase } from '@keepsend/outbox'
import { clock, raw, sqlText } from '@keepsend/outbox/internal'
import { anyClaimStands } from '../health/circuit-breaker.ts'
import type { EndpointStatement } from '../health/endpoint-health.ts'
import type { Notifier } from '../health/operational-webhooks.ts'
import { type RequestedPause, pauseAsRequestedStatement } from '../backlog/pause.ts'
import type { FinishedDelivery } from '../outcome.ts'

/** What the receivers of these attempts asked for: to be left alone for a time, or for good. */
export function receiverRequests(
  db: OutboxDatabase,
  reporter: Notifier | undefined,
  finished: readonly FinishedDelivery[],
): EndpointStatement[] {
  return [...pausesOf(db, finished), ...finished.flatMap((one) => disablingOf(db, reporter, one))]
}

function pausesOf(db: OutboxDatabase, finished: readonly FinishedDelivery[]): EndpointStatement[] {
  const endpoints = new Map<string, { endpointId: string; version: number; asked: RequestedPause[] }>()
  for (const { claim, outcome } of finished) {
    if (outcome.kind !== 'hold' || !outcome.asked || !outcome.attempt) continue
    const { endpointId, endpointVersion: version } = outcome.attempt
    const key = `${endpointId} ${version}`
    const endpoint = endpoints.get(key) ?? { endpointId, version, asked: [] }
    endpoints.set(key, endpoint)
    endpoint.asked.push({ claim, pauseMs: outcome.asked.pauseMs })
  }
  return [...endpoints.values()].map(({ asked, ...endpoint }) => ({
    statement: pauseAsRequestedStatement(db, endpoint, asked),
    makes: {
      change: 'paused',
      endpointId: endpoint.endpointId,
      pauseMs: Math.max(...asked.map(({ pauseMs }) => pauseMs)),
    },
  }))
}

/** Only the version that the attempt read: an endpoint that was changed meanwhile has a new URL to prove itself. */
function disablingOf(
  db: OutboxDatabase,
  reporter: Notifier | undefined,
  { claim, outcome }: FinishedDelivery,
): EndpointStatement[] {
  if (outcome.kind !== 'disable_endpoint') return []
  const { endpointId, endpointVersion: version, reason } = outcome
  const comesTrue = sqlText`id = ${endpointId} and version = ${version} and status = 'enabled'`
  const reports = reporter?.endpoint('keepsend.endpoint.disabled', outcome, [claim], comesTrue, { reason }) ?? []
  return [
    ...reports.map((statement) => ({ statement })),
    {
      makes: { change: 'disabled', endpointId, reason },
      statement: sqlText`
      update keepsend_endpoints
      set status = 'disabled', disabled_reason = ${reason}, disabled_at = ${clock()}, version = version + 1, resume_at = ${raw('null')}, updated_at = ${clock()}
      where ${comesTrue} and ${anyClaimStands(db, [claim])}`,
    },
  ]
}
