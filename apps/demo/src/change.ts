import { EngineError, commitWithEvents, newEventId, publishEvent } from '@keepsend/engine'
import type { Statement } from '@keepsend/outbox'
import { isEventId } from '@keepsend/outbox/internal'
import { z } from 'zod'
import type { AppContext } from './context.ts'
import { spelled } from './tables.ts'

/** What a mutating route does, and what it tells the world. */
export interface Change {
  /** Unexecuted, so that they commit together with the event. */
  writes: readonly Statement[]
  type: string
  /** What the event carries and the caller is answered. */
  data: Record<string, unknown>
  /** @default 200 */
  status?: 200 | 201
}

/**
 * Commits a change and its event. The answer names the event, so that a caller can follow it:
 * `GET /webhooks/events/{eventId}` shows its deliveries.
 */
export function commitChange(c: AppContext, { writes, type, data, status = 200 }: Change): Promise<Response> {
  const id = newEventId()
  return commitWithEvents(c, {
    writes: writes.map(spelled),
    events: [{ id, type, workspaceId: c.get('workspaceId'), data }],
    response: { status, body: { eventId: id, data } },
  })
}

/** Commits a write by itself, for a change that is announced afterwards. */
export async function commitAlone(c: AppContext, write: Statement): Promise<void> {
  await c.get('keepsend').db.run(spelled(write))
}

/**
 * Announces a change that something else has committed already. A crash in between would leave the change without its
 * event, so this is for what cannot be part of the unit.
 *
 * @param id the event's id, where the caller's repeat should find the event that it made before
 * @throws {EngineError} `not_accepted` when the event may not be durable: an answer of 201 would say that it is
 */
export async function announceChange(
  c: AppContext,
  { type, data, status = 200, id = newEventId() }: Omit<Change, 'writes'> & { id?: string },
): Promise<Response> {
  const { accepted } = await publishEvent(c, { id, type, workspaceId: c.get('workspaceId'), data })
  if (!accepted) {
    throw new EngineError('not_accepted', 'the change is kept, its event may not be: repeat the request', {
      retryAfterSeconds: 1,
    })
  }
  return c.json({ eventId: id, data }, status)
}

/** The request's JSON, as the schema has it. @throws {EngineError} `invalid_request` */
export async function readJson<S extends z.ZodType>(c: AppContext, schema: S): Promise<z.infer<S>> {
  const body: unknown = await c.req.json().catch(() => {
    throw new EngineError('invalid_request', 'the body must be JSON')
  })
  const parsed = schema.safeParse(body)
  if (!parsed.success) throw new EngineError('invalid_request', z.prettifyError(parsed.error))
  return parsed.data
}

/** An id that the client made, so that it can repeat its request: a lower-case UUIDv7. @throws {EngineError} */
export function readId(c: AppContext, param: string): string {
  const id = c.req.param(param) ?? ''
  if (!isEventId(`evt_${id}`)) throw new EngineError('invalid_request', `${param} must be a lower-case UUIDv7`)
  return id
}

/** The time, as the tables hold it. */
export function now(): string {
  return new Date().toISOString()
}
