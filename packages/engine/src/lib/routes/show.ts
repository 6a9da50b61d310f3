import type { z } from '@hono/zod-openapi'
import { eventIdOf } from '@keepsend/outbox'
import type { ShownDelivery } from '../delivery-columns.ts'
import type { Endpoint } from '../endpoint.ts'
import type { deliverySchema, endpointSchema } from './schemas.ts'

/** A time that no calendar has, because it was broken by hand, is shown as the nearest that one has. */
export function iso(ms: number): string {
  return new Date(Math.max(-MAX_TIME_MS, Math.min(ms, MAX_TIME_MS))).toISOString()
}

const MAX_TIME_MS = 8_640_000_000_000_000

export function toDelivery(row: ShownDelivery): z.infer<typeof deliverySchema> {
  const { id, endpointId, type, status, holdReason, attempts, maxAttempts, dueAt, lastError, lastStatus } = row
  return {
    id,
    eventId: eventIdOf(id),
    endpointId: endpointId === '' ? null : endpointId,
    type,
    status,
    holdReason,
    heldAt: row.heldAt === null ? null : iso(row.heldAt),
    attempts,
    maxAttempts,
    dueAt: dueAt === null ? null : iso(dueAt),
    createdAt: iso(row.createdAt),
    completedAt: row.completedAt === null ? null : iso(row.completedAt),
    lastError,
    lastStatus,
  }
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
