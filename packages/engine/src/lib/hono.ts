import type { OptionNames } from '@keepsend/outbox/internal'
import type { Context, MiddlewareHandler } from 'hono'
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

/** Puts the engine where {@link commitWithEvents} and {@link publishEvent} find it. */
export function keepsend(engine: Engine): MiddlewareHandler {
  return async (c, next) => {
    c.set('keepsend', engine)
    await next()
  }
}

export interface CommitWithEventsOptions extends Pick<CommitOptions, 'writes' | 'events'> {
  /** Known before the commit, so that it can be stored with it. */
  response: { status: number; body: unknown }
  /**
   * Whose `Idempotency-Key` it is. Needed where a request carries one and its events are of no workspace, or of several.
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
 * Commits the route's change, its webhook rows and, where the request carries an `Idempotency-Key`, the success
 * record as one atomic unit, then answers. A repeat of the request gets the stored answer with
 * `Idempotency-Replayed: true`. What Keepsend refuses is answered as a problem document; an error of the writes
 * themselves, a broken constraint say, is thrown for the app to handle.
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
export async function commitWithEvents(c: Context, options: CommitWithEventsOptions): Promise<Response> {
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
 * The stored answer, where this request was committed before; undefined the first time and without an
 * `Idempotency-Key`. For a route that looks before it commits: the repeat of a DELETE finds nothing to delete, and its
 * caller wants the first answer, not a 404.
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

/** An event for a change that was committed elsewhere: its rows are inserted before this resolves. */
export function publishEvent(c: Context, event: WebhookEvent): Promise<PublishResult> {
  return engineOf(c).publish(event, backgroundOf(c))
}

/** The one workspace that all events are of. */
function workspaceOf(events: readonly WebhookEvent[]): string | undefined {
  const [first, ...others] = new Set(events.map(({ workspaceId }) => workspaceId))
  return others.length === 0 ? first : undefined
}

/**
 * The request's `Idempotency-Key`, if it has one, with what makes it the same request.
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
      'this request has an Idempotency-Key, and its events are of no one workspace: give commitWithEvents a workspaceId',
    )
  }
  return { key, workspaceId, method: c.req.method, route: c.req.path, body: new Uint8Array(await c.req.arrayBuffer()) }
}

/** The answer of a commit, marked where it is an earlier one. */
function committedResponse({ status, body, replayed }: Pick<CommitResult, 'status' | 'body' | 'replayed'>): Response {
  const headers = new Headers({ 'content-type': 'application/json' })
  if (replayed) headers.set('idempotency-replayed', 'true')
  // A response of these numbers has no body, and the platform refuses one.
  return new Response(status === 204 || status === 205 || status === 304 ? null : body, { status, headers })
}

/** `waitUntil`, where the platform has one; elsewhere the work runs on by itself. */
export function backgroundOf(c: Context): NonNullable<CommitOptions['background']> {
  try {
    const { executionCtx } = c
    return (work) => executionCtx.waitUntil(work)
  } catch {
    // Hono throws where there is no execution context, as on Node.
    return () => undefined
  }
}

function engineOf(c: Context): Engine {
  const engine = c.get('keepsend') as Engine | undefined
  if (!engine)
    throw new EngineError('invalid_option', 'no engine in this context: app.use(keepsend(engine)) before the routes')
  return engine
}
