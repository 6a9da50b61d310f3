import { z } from '@hono/zod-openapi'
import { ENDPOINT_ID, ERASURE_WHATS } from '../erasures/erasure-input.ts'
import { ERASURE_REASONS, ERASURE_STATES } from '../erasures/erasure-job.ts'
import * as bounded from './bounded.ts'
import { count, id, time } from './schemas.ts'
import { workspaceShown } from './workspace-scope.ts'

const common = {
  dryRun: z.boolean().optional().openapi({ description: 'Only count; writes nothing, whatever the `Idempotency-Key`' }),
}

const range = {
  since: bounded.isoTime.optional().openapi({ description: 'Published at this time or later' }),
  until: bounded.isoTime.openapi({ description: 'Published before this time' }),
}

export const erasureRequest = z
  .discriminatedUnion('what', [
    z.strictObject({ what: z.literal('event'), eventId: bounded.eventId, ...common }).openapi('EraseEvent'),
    z
      .strictObject({ what: z.literal('endpoint'), endpointId: z.string().max(69).regex(ENDPOINT_ID), ...common })
      .openapi('EraseEndpoint'),
    z.strictObject({ what: z.literal('range'), ...range, ...common }).openapi('EraseRange'),
    z.strictObject({ what: z.literal('workspace'), ...common }).openapi('EraseWorkspace'),
  ])
  .openapi('ErasureRequest', {
    description: 'One `event`, an `endpoint` with what it got, a `range` of times, or the whole `workspace`',
  })

const plan = {
  planned: count.openapi({ description: 'Deliveries that have a row: unsettled and failed ones' }),
  unsettled: count.openapi({ description: 'Those of them that are dropped without being settled' }),
  plannedMore: z.boolean().openapi({ description: 'There are more than `planned`: counting is bounded' }),
}

export const erasurePlanSchema = z.object(plan).openapi('ErasurePlan')

export const erasureSchema = z
  .object({
    id: id('erasure'),
    what: z.enum(ERASURE_WHATS),
    eventId: z.string().nullable(),
    endpointId: z.string().nullable(),
    since: time.nullable(),
    until: time.nullable(),
    ...plan,
    dropped: count.openapi({ description: 'Deleted deliveries that had not been settled when it began' }),
    deliveries: count.openapi({ description: 'Deleted deliveries that had a row' }),
    attempts: count,
    events: count,
    answers: count.openapi({ description: 'Emptied answers of requests under an `Idempotency-Key`' }),
    state: z.enum(ERASURE_STATES),
    reason: z.enum(ERASURE_REASONS).nullable().openapi({ description: 'Why a running erasure waits' }),
    createdAt: time,
    endedAt: time.nullable(),
    guardsUntil: time.openapi({ description: 'Until then nothing that it covers comes back' }),
    ...workspaceShown,
  })
  .openapi('Erasure')
