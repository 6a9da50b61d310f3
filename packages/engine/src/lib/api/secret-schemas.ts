import { z } from '@hono/zod-openapi'
import { time } from './schemas.ts'

export const scheme = z.enum(['v1', 'v1a', 'compat'])

export const secretSchema = z
  .object({
    scheme,
    version: z.int(),
    secret: z.string().openapi({ description: 'The key that the receiver verifies with; for `v1a` the public key' }),
    createdAt: time,
    expiresAt: time.nullable().openapi({ description: 'When it stops signing; null: it is the current one' }),
  })
  .openapi('EndpointSecret')

export const publicKeySchema = z
  .object({ version: z.int(), publicKey: z.string(), createdAt: time, expiresAt: time.nullable() })
  .openapi('EndpointPublicKey')
