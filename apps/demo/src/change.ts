import { EngineError, commitWithEvents, newEventId, publishEvent } from '@keepsend/engine'
import type { Statement } from '@keepsend/outbox'
import { isEventId } from '@keepsend/outbox/internal'
import { z } from 'zod'
import type { AppContext } from './context.ts'
import { spelled } from './tables.ts'

/** The writes of a mutating route, and its event. */
export interface Change {
  /** Unexecuted, so that they commit together with the event. */
  writes: readonly Statement[]
  type: string
  /** The data of the event and of the response. */
  data: Record<string, unknown>
  /** @default 200 */
  status?: 200 | 201
}

/**
 * Commits a change and its event in one transaction. The response has the event's id: `GET /webhooks/events/{eventId}` shows its
 * deliveries.
 */
export function commitChange(c: AppContext, { writes, type, data, status = 200 }: Change): Promise<Response> {
  const id = newEventId()
  return commitWithEvents(c, {
    writes: writes.map(spelled),
    events: [{ id, type, workspaceId: c.get('workspaceId'), data }],
    response: { status, body: { eventId: id, data } },
  })
}

/** Commits a write without an event, for a change whose event is published afterwards. */
export async function commitAlone(c: AppContext, write: Statement): Promise<void> {
  await c.get('keepsend').db.run(spelled(write))
}

/**
 * Publishes the event of a change that is committed already. A crash in between leaves the change without its event, so use
 * this only where one transaction is impossible.
 *
 * @param id the event's id, if a repeated request must not publish a second event
 * @throws {EngineError} `not_accepted` when the event may not be durable; the request must be repeated
 */
export async function announceChange(
  c: AppContext,
  { type, data, status = 200, id = newEventId() }: Omit<Change, 'writes'> & { id?: string },
): Promise<Response> {
  const { accepted } = await publishEvent(c, { id, type, workspaceId: c.get('workspaceId'), data })
  if (!accepted) {
    throw new EngineError('not_accepted', 'the change is stored, its event may not be; repeat the request', {
      retryAfterSeconds: 1,
    })
  }
  return c.json({ eventId: id, data }, status)
}

/** Parses the request's JSON by the schema. @throws {EngineError} `invalid_request` */
export async function readJson<S extends z.ZodType>(c: AppContext, schema: S): Promise<z.infer<S>> {
  const body: unknown = await c.req.json().catch(() => {
    throw new EngineError('invalid_request', 'the body must be JSON')
  })
  const parsed = schema.safeParse(body)
  if (!parsed.success) throw new EngineError('invalid_request', z.prettifyError(parsed.error))
  return parsed.data
}

/** Reads an id that the client created, so that it can repeat its request: a lower-case UUIDv7. @throws {EngineError} `invalid_request` */
export function readId(c: AppContext, param: string): string {
  const id = c.req.param(param) ?? ''
  if (!isEventId(`evt_${id}`)) throw new EngineError('invalid_request', `${param} must be a lower-case UUIDv7`)
  return id
}

/** The current time in the format of the tables. */
export function now(): string {
  return new Date().toISOString()
}
