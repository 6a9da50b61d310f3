import { z } from '@hono/zod-openapi'
import { pageOf, pageShape } from './page.ts'
import { traceId } from './content-schemas.ts'
import { attemptSchema, deliverySchema } from './schemas.ts'

export const attemptPage = pageOf('AttemptPage', attemptSchema)

export const deliveryPage = z
  .object({
    ...pageShape(deliverySchema),
    omitted: z.literal('completed').optional().openapi({
      description:
        'Delivered deliveries are not in this list: they are not recorded, or the database has no index for them',
    }),
  })
  .openapi('DeliveryPage')

export const deliveryDetail = deliverySchema
  .extend({
    traceId,
    latestAttempts: attemptPage.optional().openapi({
      description: 'The latest 100; `GET /deliveries/{id}/attempts` takes its cursor. Absent without `history`',
    }),
  })
  .openapi('DeliveryDetail')
