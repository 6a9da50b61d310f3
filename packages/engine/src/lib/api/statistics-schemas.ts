import { z } from '@hono/zod-openapi'
import { ERROR_CLASS_NAMES } from '../error-classes.ts'
import { count, milliseconds, time } from './schemas.ts'
import { workspaceShown } from './workspace-scope.ts'

const counts = {
  delivered: count,
  retried: count.openapi({ description: 'Failed attempts that another followed' }),
  deferred: count.openapi({
    description: 'Attempts that do not count: the receiver asked for a wait, or nothing could be sent',
  }),
  failed: count.openapi({ description: 'Attempts with which their delivery failed' }),
  replayed: count.openapi({ description: 'Attempts of replays, which no other count has' }),
  tested: count.openapi({ description: 'Attempts of test events, which no other count has' }),
}

const below = (percent: number) =>
  milliseconds.nullable().openapi({
    description: `${percent}% of the attempts took no longer, replays and tests left out; at most 1% off; null: there were none`,
  })

const percentiles = { p50Ms: below(50), p95Ms: below(95), p99Ms: below(99) }
const at = time.openapi({ description: 'The beginning of the minute, hour or day (UTC)' })

export const isComplete = z
  .literal(false)
  .optional()
  .openapi({ description: 'The latest attempts are not counted yet: there are more than 10,000 of them' })

export const bucketSchema = z.object({ at, ...counts, ...percentiles }).openapi('StatisticsBucket')

export const endpointStatisticsSchema = z
  .object({
    endpointId: z.string(),
    ...counts,
    ...percentiles,
    buckets: z.array(z.object({ at, ...counts })).openapi({ description: 'One for each hour' }),
    lastError: z
      .object({
        at: time.openapi({ description: 'When it was settled' }),
        outcome: z.enum(['retry', 'deferred', 'failed']),
        httpStatus: z.int().nullable(),
        errorClass: z.enum(ERROR_CLASS_NAMES).nullable(),
        error: z.string().nullable(),
      })
      .nullable()
      .openapi({ description: 'The last attempt of the range that did not deliver; null: there was none' }),
    workspaceId: workspaceShown.workspaceId.nullable(),
  })
  .openapi('EndpointStatistics')
