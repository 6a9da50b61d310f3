import { z } from '@hono/zod-openapi'
import { DELIVERY_STATUSES, HTTP_CLASSES } from '../deliveries/delivery-filter.ts'
import { ERROR_CLASS_NAMES } from '../error-classes.ts'
import { DELIVERY_ID, MAX_IDS, MAX_RATE, REPLAY_WHATS } from '../replays/replay-input.ts'
import { REPLAY_REASONS, REPLAY_STATES } from '../replays/replay-job.ts'
import * as bounded from './bounded.ts'
import { count, id, time } from './schemas.ts'
import { workspaceShown } from './workspace-scope.ts'

const common = {
  rate: z.int().min(1).max(MAX_RATE).optional().openapi({
    description: 'At most this many deliveries a second; default: as fast as each endpoint takes them',
  }),
  dryRun: z.boolean().optional().openapi({ description: 'Only count; writes nothing, whatever the `Idempotency-Key`' }),
}

const range = (of: string) => ({
  since: bounded.isoTime.optional().openapi({ description: `${of} at this time or later` }),
  until: bounded.isoTime.optional().openapi({ description: `${of} before this time; default: now` }),
})

const endpointId = bounded.id.optional().openapi({ description: 'Default: every endpoint of the workspace' })

const filter = {
  status: z.enum(DELIVERY_STATUSES).optional(),
  type: bounded.typeFilter.optional(),
  eventId: bounded.id.optional(),
  errorClass: z.enum(ERROR_CLASS_NAMES).optional(),
  httpStatus: z.int().min(100).max(999).optional(),
  httpClass: z.enum(HTTP_CLASSES).optional(),
}

const settled = { endpointId, ...range('Settled'), ...common }

export const replayRequest = z
  .discriminatedUnion('what', [
    z.strictObject({ what: z.literal('failed'), ...settled }).openapi('ReplayFailed'),
    z.strictObject({ what: z.literal('delivered'), ...settled }).openapi('ReplayDelivered'),
    z
      .strictObject({ what: z.literal('missed'), endpointId: bounded.id, ...range('Published'), ...common })
      .openapi('ReplayMissed'),
    z
      .strictObject({ what: z.literal('matching'), endpointId, ...filter, ...range('As in the list'), ...common })
      .openapi('ReplayMatching'),
    z
      .strictObject({
        what: z.literal('ids'),
        ids: z.array(z.string().max(140).regex(DELIVERY_ID)).min(1).max(MAX_IDS),
        ...common,
      })
      .openapi('ReplayIds'),
  ])
  .openapi('ReplayRequest', {
    description:
      '`failed` and `delivered` deliveries, those that an endpoint `missed`, those `matching` the filters of the list of ' +
      'deliveries, or `ids`',
  })

export const endpointReplayRequest = z
  .strictObject({ ...range('Failed'), rate: common.rate })
  .openapi('EndpointReplayRequest')

const plan = {
  planned: count.openapi({ description: 'Deliveries that match; each is sent or skipped' }),
  plannedMore: z.boolean().openapi({ description: 'There are more than `planned`: counting is bounded' }),
  reachesBackTo: time.nullable().openapi({ description: 'The oldest time that is searched; null: of all times' }),
  until: time.openapi({ description: 'What was settled or published later is not sent' }),
}

export const replayPlanSchema = z.object(plan).openapi('ReplayPlan')

export const replaySchema = z
  .object({
    id: id('replay'),
    what: z.enum(REPLAY_WHATS),
    endpointId: z.string().nullable().openapi({ description: 'null: several endpoints' }),
    filter: z
      .object({ ...filter, since: time.optional(), until: time.optional() })
      .openapi({ description: 'As it was asked for' }),
    rate: z.int().nullable(),
    state: z.enum(REPLAY_STATES),
    reason: z.enum(REPLAY_REASONS).nullable().openapi({
      description: 'Why a running replay waits, or why it was cancelled by itself; null: it does not, or it was not',
    }),
    ...plan,
    sent: count,
    skipped: z.object({
      onItsWay: count.openapi({ description: 'They were not settled, or had been settled again' }),
      noLongerStored: count,
      changed: count.openapi({ description: 'They matched no more when the replay reached them' }),
    }),
    createdAt: time,
    endedAt: time.nullable(),
    ...workspaceShown,
  })
  .openapi('Replay')
