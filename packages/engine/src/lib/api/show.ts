import type { z } from '@hono/zod-openapi'
import { eventIdOf } from '@keepsend/outbox/internal'
import type { Principal } from '../access/api-keys.ts'
import type { ShownDelivery } from '../deliveries/delivery-columns.ts'
import type { Endpoint } from '../endpoints/endpoint.ts'
import { classOf, explanationOf } from '../error-classes.ts'
import { HOLD_REASONS } from '../backlog/hold-reason.ts'
import type { Attempt } from '../history/attempt-list.ts'
import type { EndpointProblem } from '../problems/endpoint-problem.ts'
import type { AuditEntry } from '../audit/audit-store.ts'
import type { auditSchema } from './audit-schema.ts'
import type { endpointProblemSchema } from './endpoint-problem-schema.ts'
import type { Page } from '../page.ts'
import { showPage } from './page.ts'
import type { attemptPage } from './delivery-schemas.ts'
import type { attemptSchema, deliverySchema, endpointSchema } from './schemas.ts'
import { withWorkspace } from './workspace-scope.ts'

/** A time outside the years of RFC 3339, broken by hand, is shown as the nearest valid one. */
export function iso(ms: number): string {
  return new Date(Math.max(YEAR_0_MS, Math.min(ms, END_OF_9999_MS))).toISOString()
}

const YEAR_0_MS = -62_167_219_200_000
const END_OF_9999_MS = 253_402_300_799_999

export function toDelivery(row: ShownDelivery): z.infer<typeof deliverySchema> {
  const { id, endpointId, type, status, attempts, maxAttempts, dueAt, lastError, lastStatus } = row
  return {
    id,
    eventId: eventIdOf(id),
    endpointId: endpointId === '' ? null : endpointId,
    type,
    status,
    // Null for a reason that was written by hand or by another version: clients do not know it.
    holdReason: row.holdReason !== null && Object.hasOwn(HOLD_REASONS, row.holdReason) ? row.holdReason : null,
    heldAt: row.heldAt === null ? null : iso(row.heldAt),
    eventVersion: row.convertTo ?? row.version,
    attempts,
    maxAttempts,
    dueAt: dueAt === null ? null : iso(dueAt),
    createdAt: iso(row.createdAt),
    deliverAt: row.deliverAt === null ? null : iso(row.deliverAt),
    expiresAt: row.expiresAt === null ? null : iso(row.expiresAt),
    completedAt: row.completedAt === null ? null : iso(row.completedAt),
    lastError,
    lastStatus,
    errorClass: classOf(lastError, lastStatus),
    explanation: explanationOf(lastError, lastStatus),
  }
}

function toAttempt(row: Attempt): z.infer<typeof attemptSchema> {
  return { id: ATTEMPT_PREFIX + row.id, ...toTestAttempt(row) }
}

/** An attempt as the API shows it, without an id of its own. */
export function toTestAttempt(row: Omit<Attempt, 'id' | 'gen'>): Omit<z.infer<typeof attemptSchema>, 'id'> {
  const { deliveryId, endpointId, type, number, reason, outcome, httpStatus, errorClass, error, url, headers, body } =
    row
  return {
    deliveryId,
    eventId: eventIdOf(deliveryId),
    endpointId,
    type,
    number,
    reason,
    outcome,
    startedAt: iso(row.startedAt),
    queueMs: millis(row.queueUs),
    dnsMs: millis(row.dnsUs),
    connectMs: millis(row.connectUs),
    tlsMs: millis(row.tlsUs),
    firstByteMs: millis(row.firstByteUs),
    totalMs: row.totalUs / 1000,
    httpStatus,
    errorClass,
    error,
    explanation: explanationOf(error, httpStatus),
    url,
    headers,
    body,
  }
}

export function toEndpointProblem({
  workspaceId: _,
  stateSince,
  firstSeenAt,
  lastSeenAt,
  ...problem
}: EndpointProblem): z.infer<typeof endpointProblemSchema> {
  return {
    ...problem,
    explanation: explanationOf(problem.lastError, problem.httpStatus),
    stateSince: iso(stateSince),
    firstSeenAt: iso(firstSeenAt),
    lastSeenAt: iso(lastSeenAt),
  }
}

export function toAuditEntry({ workspaceId: _, at, ...entry }: AuditEntry): z.infer<typeof auditSchema> {
  return { ...entry, at: iso(at) }
}

export const ATTEMPT_PREFIX = 'att_'

export function showAttempts(principal: Principal, { next, ...page }: Page<Attempt>): z.infer<typeof attemptPage> {
  const found = { ...page, next: next === undefined ? undefined : ATTEMPT_PREFIX + next }
  return showPage(found, withWorkspace(principal, toAttempt))
}

function millis(us: number | null): number | null {
  return us === null ? null : us / 1000
}

export function showEndpoint({
  workspaceId: _,
  createdAt,
  updatedAt,
  failingSince,
  pausedUntil,
  disabledAt,
  ...endpoint
}: Endpoint): z.infer<typeof endpointSchema> {
  return {
    ...endpoint,
    pausedUntil: pausedUntil === null ? null : iso(pausedUntil),
    disabledAt: disabledAt === null ? null : iso(disabledAt),
    failingSince: failingSince === null ? null : iso(failingSince),
    createdAt: iso(createdAt),
    updatedAt: iso(updatedAt),
  }
}
