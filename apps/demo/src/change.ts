import { EngineError, commitWithEvents, newEventId, publishEvent } from '@keepsend/engine'
import type { Statement } from '@keepsend/outbox'
import { isEventId } from '@keepsend/outbox/internal'
import { z } from 'zod'
import type { AppEvent } from './catalog.ts'
import type { AppContext } from './context.ts'
import { spelled } from './tables.ts'

/** A type of the catalog with the data that belongs to it, which is that of the response too. */
type TypeAndData<Event> = Event extends AppEvent ? Pick<Event, 'type' | 'data'> : never

/** The event of a mutating route, and the status of its response. */
type Announcement = TypeAndData<AppEvent> & {
  /** @default 200 */
  status?: 200 | 201
}

/** The event of a mutating route, and its writes. */
export type Change = Announcement & {
  /** Unexecuted, so that they commit together with the event. */
  writes: readonly Statement[]
}

/**
 * Commits a change and its event in one transaction. The response has the event's id: `GET /webhooks/events/{eventId}` shows its
 * deliveries.
 */
export function commitChange(c: AppContext, { writes, status = 200, ...event }: Change): Promise<Response> {
  const id = newEventId()
  return commitWithEvents(c, {
    writes: writes.map(spelled),
    events: [{ ...event, id, workspaceId: c.get('workspaceId') }],
    response: { status, body: { eventId: id, data: event.data } },
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
  { status = 200, id = newEventId(), ...event }: Announcement & { id?: string },
): Promise<Response> {
  const { accepted } = await publishEvent(c, { ...event, id, workspaceId: c.get('workspaceId') })
  if (!accepted) {
    throw new EngineError('not_accepted', 'the change is stored, its event may not be; repeat the request', {
      retryAfterSeconds: 1,
    })
  }
  return c.json({ eventId: id, data: event.data }, status)
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
