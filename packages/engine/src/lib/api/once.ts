import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Principal } from '../access/api-keys.ts'
import type { Acting } from '../audit/action.ts'
import { idempotencyKeyOf } from '../hono.ts'
import { type IdempotentDeps, createIdempotentChange, makeIdempotent } from '../idempotency/idempotent-change.ts'

/** 255 characters in quotes, each escaped by a backslash. */
const MAX_KEY_HEADER = 512

/** The request header of every route that changes something. */
export const idempotent = z.object({
  'Idempotency-Key': z
    .string()
    .max(MAX_KEY_HEADER)
    .optional()
    .openapi({
      description:
        '1 to 255 printable ASCII characters, bare or in double quotes. A repeated request under the same key changes nothing ' +
        'and gets the first answer',
      minLength: 1,
      example: '3f1c8f0e-order-1234-created',
    }),
})

/**
 * Makes the change of a route once for each `Idempotency-Key`, and returns its answer: that of this request, or that of the
 * earlier one.
 *
 * @param make gets the caller, for the audit, and its key
 * @param read reads the stored answer of the change
 */
export async function answerOnce<T>(
  c: Context<{ Variables: { principal: Principal } }>,
  { db, logger, idempotencyRecords }: IdempotentDeps,
  make: (acting: Acting) => Promise<T>,
  read: (answer: string) => T | Promise<T>,
): Promise<T> {
  const principal = c.get('principal')
  const key = await idempotencyKeyOf(c, principal.workspaceId)
  // Not a path: these routes store only a part of their answer, which `findStoredResponse` must not find.
  const own = key && { ...key, route: `api:${key.route}` }
  const { made, stored } = await makeIdempotent({ db, logger, idempotencyRecords }, own, async (hashed) => {
    const once = hashed && createIdempotentChange(hashed)
    const answer = await make({ principal: principal.name, once })
    return once ? read(once.answer) : answer
  })
  if (!stored) return made
  c.header('idempotency-replayed', 'true')
  return read(stored.body)
}
