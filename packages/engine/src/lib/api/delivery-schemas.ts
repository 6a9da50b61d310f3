import { z } from '@hono/zod-openapi'
import { pageOf } from './page.ts'
import { attemptSchema, deliverySchema } from './schemas.ts'

export const attemptPage = pageOf('AttemptPage', attemptSchema)

export const deliveryPage = pageOf('DeliveryPage', deliverySchema, {
  omitted: z.literal('completed').optional().openapi({
    description:
      'Delivered deliveries are not in this list: the server does not record them, or has no index to list them by',
  }),
})

export const deliveryDetail = deliverySchema
  .extend({
    latestAttempts: attemptPage.optional().openapi({
      description: 'The latest 100; `GET /deliveries/{id}/attempts` takes its cursor. Absent without `history`',
    }),
  })
  .openapi('DeliveryDetail')
