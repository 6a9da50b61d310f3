import type { EngineRoutes, RouteEnv } from '../engine-routes.ts'
import { OpenAPIHono, type RouteConfig, createRoute, type z } from '@hono/zod-openapi'
import type { Scope } from '../scopes.ts'
import type { IdempotentApiKeys } from '../access/api-keys.ts'
import type { TestAttempt, TestOptions } from '../delivery/send-test.ts'
import type { CancelEvent } from '../events/cancel-event.ts'
import type { IdempotentDeliveryStore } from '../deliveries/delivery-store.ts'
import type { IdempotentEndpointStore } from '../endpoints/endpoint-store-api.ts'
import type { IdempotentProblemStore } from '../problems/problem-store.ts'
import type { IdempotentErasing } from '../erasures/erasure-store.ts'
import type { IdempotentReplayStore } from '../replays/replay-store.ts'
import type { Engine, PublishResult } from '../engine-api.ts'
import { EngineError, type EngineErrorCode } from '../errors.ts'
import type { BackgroundOption } from '../publish/dispatch.ts'
import type { ActingOption, ByOption } from '../audit/action.ts'
import type { IdempotentDeps } from '../idempotency/idempotent-change.ts'
import { problemResponse } from '../problem.ts'
import { MAX_BODY_BYTES, readBody, takeBody } from './body.ts'
import { describeProblems } from './input-problems.ts'
import { problemsOf } from './problems.ts'
import { type HeaderName, withHeaders } from './response-headers.ts'

/** The engine that routes are made from: all but its routes, with the idempotent variants of its methods. */
export interface RouteEngine
  extends
    Omit<
      Engine,
      | 'routes'
      | 'endpoints'
      | 'apiKeys'
      | 'deliveries'
      | 'problems'
      | 'replays'
      | 'erase'
      | 'publishTest'
      | 'sendTest'
      | 'cancelEvent'
    >,
    Pick<IdempotentErasing, 'erase'>,
    IdempotentDeps {
  /** {@link EngineWorker.checkKeys} without a write; throws if a key service does not answer. */
  verifyKeys(): Promise<void>
  endpoints: IdempotentEndpointStore
  apiKeys: IdempotentApiKeys
  deliveries: IdempotentDeliveryStore
  problems: IdempotentProblemStore
  cancelEvent: CancelEvent
  sendTest(workspaceId: string, endpointId: string, options?: TestOptions & ActingOption): Promise<TestAttempt>
  replays: IdempotentReplayStore
  publishTest(
    workspaceId: string,
    endpointId: string,
    options?: BackgroundOption & ByOption & ActingOption,
  ): Promise<PublishResult>
}

/** A sub-application that answers invalid input with a problem document. */
export function newRoutes(): EngineRoutes {
  return new OpenAPIHono<RouteEnv>({
    defaultHook: (result) => {
      if (!result.success) return problemResponse(new EngineError('invalid_request', describeProblems(result.error)))
      return undefined
    },
  })
}

/** The properties that the description of every route must have. */
type Described = Required<Pick<RouteConfig, 'operationId' | 'tags' | 'summary'>> & { path: string }

interface RouteOptions {
  /** Codes that the route can answer with, beyond those of every route of its kind. */
  problems?: readonly EngineErrorCode[]
  maxBodyBytes?: number
}

/**
 * Defines a route that needs a scope. Its body is read only after the scope is checked, and its document lists every problem
 * that it can answer with.
 */
export function defineRoute<R extends RouteConfig & Described>(
  scope: Scope,
  config: R,
  { problems = [], maxBodyBytes = MAX_BODY_BYTES }: RouteOptions = {},
) {
  const read = readBody(maxBodyBytes)
  const takesBody = config.request?.body !== undefined
  // Each that changes something, and no other.
  const takesKey = config.method !== 'get' && config.request?.headers !== undefined
  const responses: R['responses'] = {
    ...(takesKey ? withReplayed(config.responses) : config.responses),
    ...problemsOf(problems, { takesBody, takesKey }),
  }
  return createRoute({
    ...config,
    description: `${config.description ?? ''} Scope: \`${scope}\`.`.trim(),
    security: [{ [SECURITY]: [scope] }],
    middleware: async (c, next) => {
      if (!c.get('principal').scopes.includes(scope)) {
        throw new EngineError('forbidden', `this key lacks the scope ${scope}`)
      }
      const [parameter] = Object.keys(config.request?.query ? {} : c.req.query())
      if (parameter !== undefined) {
        throw new EngineError(
          'invalid_request',
          `this route takes no query parameter; found ${JSON.stringify(parameter)}`,
        )
      }
      if (takesBody) return read(c, next)
      // The route ignores such a body, but the idempotency record compares it.
      if (takesKey && c.req.header('idempotency-key') !== undefined) await takeBody(c, maxBodyBytes)
      return next()
    },
    responses,
  })
}

/** The name of the security scheme of an API key. */
export const SECURITY = 'apiKey'

type Answers = RouteConfig['responses']

function withReplayed(answers: Answers): Answers {
  const { headers } = withHeaders('Idempotency-Replayed')
  const entries = Object.entries(answers).map(([status, answer]) => {
    const own = 'headers' in answer ? (answer.headers as object) : {}
    return [status, { ...answer, headers: { ...own, ...headers } }] as const
  })
  return Object.fromEntries(entries)
}

/** A JSON response of a route with an example, and the headers that it has. */
export function json<S extends z.ZodType>(description: string, schema: S, example: z.input<S>, ...named: HeaderName[]) {
  return { description, ...withHeaders(...named), content: { 'application/json': { schema, example } } }
}

/** The JSON body of a route, with named examples. */
export function body<S extends z.ZodType>(schema: S, examples: Record<string, z.input<S>>) {
  const named = Object.fromEntries(Object.entries(examples).map(([name, value]) => [name, { value }]))
  return { required: true, content: { 'application/json': { schema, examples: named } } }
}
