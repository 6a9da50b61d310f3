import { z } from '@hono/zod-openapi'
import { MAX_KEY_NAME, MAX_KEY_OVERLAP_MS } from '../access/api-keys.ts'
import { characters } from '../formats/characters.ts'
import { ALL_SCOPES } from '../scopes.ts'
import { id, time } from './schemas.ts'

const scopes = z.array(z.enum(ALL_SCOPES))

export const apiKeySchema = z
  .object({
    id: id('API key'),
    name: z.string(),
    scopes,
    createdAt: time,
    expiresAt: time.nullable().openapi({ description: 'null: it does not expire' }),
    lastUsedAt: time.nullable().openapi({ description: 'To the hour; null: never' }),
  })
  .openapi('ApiKey')

/** A key in the answer to the request that made it. */
export const newApiKeySchema = apiKeySchema
  .extend({
    key: z.string().nullable().openapi({
      description: 'The key itself, which is shown once: null in the answer to a repeated request',
    }),
  })
  .openapi('NewApiKey')

const MAX_LIFETIME_MS = 315_360_000_000

export const apiKeyInput = z
  .strictObject({
    name: z
      .string()
      // Before its characters are counted.
      .max(2 * MAX_KEY_NAME)
      .refine((name) => characters(name) <= MAX_KEY_NAME, `at most ${MAX_KEY_NAME} characters`)
      .refine((name) => name.isWellFormed() && !name.includes('\0'), 'must be well-formed text without a NUL')
      .optional()
      .openapi({ maxLength: MAX_KEY_NAME }),
    scopes: scopes.min(1).max(ALL_SCOPES.length).optional().openapi({
      description: 'Of those that this key has; default: all of them but `keys:write` and `workspaces:read`',
    }),
    expiresInMs: z
      .int()
      .min(1000)
      .max(MAX_LIFETIME_MS)
      .optional()
      .openapi({ description: 'Default: it does not expire; at most ten years' }),
  })
  .openapi('ApiKeyInput')

export const rotateKeyInput = z
  .strictObject({
    overlapMs: z
      .int()
      .min(0)
      .max(MAX_KEY_OVERLAP_MS)
      .optional()
      .openapi({ description: 'How long the old key works beside the new one; default: 24 hours' }),
  })
  .openapi('RotateApiKeyInput')
