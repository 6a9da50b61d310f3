import type { OptionNames } from '@keepsend/outbox/internal'
import type { Context, Env, MiddlewareHandler } from 'hono'
import type { EventCatalog, EventOf } from './catalog/event-catalog.ts'
import type { CommitOptions, CommitResult } from './publish/commit.ts'
import type { Engine, PublishResult } from './engine-api.ts'
import { EngineError, checkNames } from './errors.ts'
import type { WebhookEvent } from './publish/event.ts'
import type { IdempotencyKey } from './idempotency/idempotency.ts'
import { problemResponse } from './problem.ts'

declare module 'hono' {
  interface ContextVariableMap {
    keepsend: Engine
  }
}

/**
 * The environment of an app whose routes publish the events of a catalog. With it the compiler checks the events of
 * {@link commitWithEvents} and {@link publishEvent}.
 *
 * @example
 * const app = new Hono<KeepsendEnv<typeof catalog>>()
 */
export interface KeepsendEnv<Catalog extends EventCatalog = EventCatalog> {
  Variables: { keepsend: Engine<Catalog> }
}

/** The events that the routes of an environment publish. Of one that names no catalog, every event. */
export type EventOfEnv<E extends Env> = EventOf<CatalogOf<E>>

// The first line is for `any`, the environment of a `Context` without one.
type CatalogOf<E extends Env> = 0 extends 1 & E
  ? EventCatalog
  : E extends KeepsendEnv<infer Catalog>
    ? Catalog
    : EventCatalog

// An engine without a catalog leaves the type of an app as it is.
type EnvOf<Catalog extends EventCatalog> = string extends keyof Catalog['events'] ? Env : KeepsendEnv<Catalog>

/** Middleware that gives {@link commitWithEvents} and {@link publishEvent} their engine. Use it before the routes. */
export function keepsend<Catalog extends EventCatalog>(engine: Engine<Catalog>): MiddlewareHandler<EnvOf<Catalog>> {
  const handler: MiddlewareHandler = async (c, next) => {
    c.set('keepsend', engine)
    await next()
  }
  return handler
}

export interface CommitWithEventsOptions<Event = WebhookEvent> extends Pick<CommitOptions<Event>, 'writes' | 'events'> {
  /** The answer to send. It is fixed before the commit, so that it can be stored in the same transaction. */
  response: { status: number; body: unknown }
  /**
   * The workspace of the `Idempotency-Key`. Required if a request has one and its events belong to no workspace or to several.
   *
   * @default the workspace of the events
   */
  workspaceId?: string | undefined
}

export const COMMIT_WITH_EVENTS_OPTIONS = {
  writes: 'list',
  events: 'list',
  response: 'object',
  workspaceId: 'text',
} satisfies OptionNames<CommitWithEventsOptions>

/**
 * Commits the route's writes, its deliveries and, if the request has an `Idempotency-Key`, its idempotency record in one
 * transaction, then answers. A repeat of the request gets the stored answer with `Idempotency-Replayed: true`. An
 * `EngineError` becomes a problem document.
 *
 * @throws {EngineError} `invalid_option` for a wrong set-up
 * @throws the error of the caller's own writes, such as a violated constraint, for the app to handle
 *
 * @example
 * app.post('/messages', async (c) => {
 *   const message = { id: uuidv7(), ...(await c.req.json()) }
 *   return commitWithEvents(c, {
 *     writes: [orm.insert(messages).values(message)],
 *     events: [{ type: 'message.created', workspaceId: 'w1', data: message }],
 *     response: { status: 201, body: message },
 *   })
 * })
 */
export async function commitWithEvents<E extends Env>(
  c: Context<E>,
  options: CommitWithEventsOptions<EventOfEnv<E>>,
): Promise<Response> {
  checkNames('commitWithEvents', COMMIT_WITH_EVENTS_OPTIONS, options)
  const { writes, events, response, workspaceId = workspaceOf(events) } = options
  try {
    const idempotencyKey = await idempotencyKeyOf(c, workspaceId)
    const committed = await engineOf(c).commit({
      writes,
      events,
      response,
      idempotencyKey,
      background: backgroundOf(c),
    })
    return committedResponse(committed)
  } catch (error) {
    if (error instanceof EngineError && error.code !== 'invalid_option')
      return problemResponse(error, engineOf(c).logger)
    throw error
  }
}

/**
 * Answers a repeated request with its stored response; undefined the first time and without an `Idempotency-Key`. Call it in
 * routes that read before they commit: a repeated DELETE finds nothing to delete, and should answer as the first one did
 * instead of 404.
 *
 * @example
 * app.use(async (c, next) => (await replayIdempotentResponse(c, workspaceOf(c))) ?? next())
 */
export async function replayIdempotentResponse(c: Context, workspaceId: string): Promise<Response | undefined> {
  try {
    const idempotencyKey = await idempotencyKeyOf(c, workspaceId)
    const answer = idempotencyKey && (await engineOf(c).findStoredResponse(idempotencyKey))
    return answer && committedResponse({ ...answer, replayed: true })
  } catch (error) {
    if (error instanceof EngineError && error.code !== 'invalid_option')
      return problemResponse(error, engineOf(c).logger)
    throw error
  }
}

/** Publishes an event for a change that was committed elsewhere: see {@link Engine.publish}. */
export function publishEvent<E extends Env>(c: Context<E>, event: EventOfEnv<E>): Promise<PublishResult> {
  return engineOf(c).publish(event, backgroundOf(c))
}

/** The workspace of the events; undefined if there is none, or more than one. */
function workspaceOf(events: readonly WebhookEvent[]): string | undefined {
  const [first, ...others] = new Set(events.map(({ workspaceId }) => workspaceId))
  return others.length === 0 ? first : undefined
}

/**
 * Reads the request's `Idempotency-Key`, if it has one, with the method, path and body that a repeat must match.
 *
 * @throws {EngineError} `invalid_option` for a key that belongs to no workspace
 */
export async function idempotencyKeyOf(
  c: Context,
  workspaceId: string | undefined,
): Promise<IdempotencyKey | undefined> {
  const key = c.req.header('idempotency-key')
  if (key === undefined) return undefined
  if (workspaceId === undefined) {
    throw new EngineError(
      'invalid_option',
      'this request has an Idempotency-Key, but its events belong to no workspace or to several: pass a workspaceId to commitWithEvents',
    )
  }
  return { key, workspaceId, method: c.req.method, route: c.req.path, body: new Uint8Array(await c.req.arrayBuffer()) }
}

/** The response of a commit, with `Idempotency-Replayed` if it is a stored one. */
function committedResponse({ status, body, replayed }: Pick<CommitResult, 'status' | 'body' | 'replayed'>): Response {
  const headers = new Headers({ 'content-type': 'application/json' })
  if (replayed) headers.set('idempotency-replayed', 'true')
  // Responses with these statuses have no body; the platform's constructor throws if given one.
  return new Response(status === 204 || status === 205 || status === 304 ? null : body, { status, headers })
}

/** Passes work to `waitUntil` where the platform has it; elsewhere the work continues by itself. */
export function backgroundOf(c: Context): NonNullable<CommitOptions['background']> {
  try {
    const { executionCtx } = c
    return (work) => executionCtx.waitUntil(work)
  } catch {
    // Hono throws if there is no execution context, for example on Node.
    return () => undefined
  }
}

function engineOf(c: Context): Engine {
  const engine = c.get('keepsend') as Engine | undefined
  if (!engine)
    throw new EngineError(
      'invalid_option',
      'no engine in this context: call app.use(keepsend(engine)) before the routes',
    )
  return engine
}
