import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Principal } from '../access/api-key.ts'
import { idempotencyKeyOf } from '../hono.ts'
import {
  type IdempotentChange,
  type IdempotentDeps,
  createIdempotentChange,
  makeIdempotent,
} from '../idempotency/idempotent-change.ts'

/** 255 characters in quotes, each with a backslash before it. */
const MAX_KEY_HEADER = 512

/** The header of every route that changes something. */
export const idempotent = z.object({
  'Idempotency-Key': z
    .string()
    .max(MAX_KEY_HEADER)
    .optional()
    .openapi({
      description:
        '1 to 255 printable ASCII characters, bare or in double quotes: a repeat under the same key changes nothing and ' +
        'gets the first answer',
      minLength: 1,
      example: '3f1c8f0e-order-1234-created',
    }),
})

/**
 * What a route answers: of the change that it makes, or of the one that an earlier request under its `Idempotency-Key` has
 * made.
 *
 * @param read reads what the change has stored as its answer
 */
export async function answerOnce<T>(
  c: Context<{ Variables: { principal: Principal } }>,
  { db, logger, idempotencyRecords }: IdempotentDeps,
  make: (once: IdempotentChange | undefined) => Promise<T>,
  read: (answer: string) => T | Promise<T>,
): Promise<T> {
  const key = await idempotencyKeyOf(c, c.get('principal').workspaceId)
  // No path: what these routes store is no answer yet, and `recall` must not find it.
  const own = key && { ...key, route: `api:${key.route}` }
  const { made, stored } = await makeIdempotent({ db, logger, idempotencyRecords }, own, async (hashed) => {
    const once = hashed && createIdempotentChange(db, hashed)
    const answer = await make(once)
    return once ? read(once.answer) : answer
  })
  if (!stored) return made
  c.header('idempotency-replayed', 'true')
  return read(stored.body)
}
