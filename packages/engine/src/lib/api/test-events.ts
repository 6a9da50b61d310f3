import { z } from '@hono/zod-openapi'
import type { TestAttempt } from '../delivery/send-test.ts'
import type { EngineRoutes } from '../engine-routes.ts'
import * as bounded from './bounded.ts'
import * as examples from './examples.ts'
import { answerOnce, idempotent } from './once.ts'
import { type RouteEngine, body, defineRoute, json, newRoutes } from './route.ts'
import { attemptSchema, idParam } from './schemas.ts'
import { toTestAttempt } from './show.ts'

const testInput = z
  .strictObject({
    type: bounded.name.optional().openapi({ description: 'Default: `test`; the prefix `keepsend.` is reserved' }),
    data: z
      .record(z.string(), z.unknown())
      .optional()
      .openapi({ description: 'Sent as it is, in `{ type, timestamp, data }`; default: a message' }),
  })
  .openapi('TestInput')

const testAttempt = attemptSchema
  .omit({ id: true, workspaceId: true })
  .openapi('TestAttempt', { description: 'The attempt of a test; its outcome is `delivered` or `failed`' })

const { id: _, ...attempt } = examples.attempt

const send = defineRoute(
  'endpoints:write',
  {
    method: 'post',
    path: '/endpoints/{id}/test/send',
    operationId: 'sendTest',
    tags: ['Endpoints'],
    summary: 'Send a test event with a payload of your own, and answer with the attempt',
    description:
      'The server that is asked sends it within the deadline of the endpoint, whatever the state of the endpoint, with the header ' +
      '`webhook-test: true`. It is never retried, and does not count as a failure. A server without a sender answers 409.',
    request: {
      params: idParam,
      headers: idempotent,
      body: body(testInput, { test: {}, own: { type: 'order.paid', data: { id: 'o1' } } }),
    },
    responses: {
      200: json('The attempt, whether it delivered or failed', testAttempt, {
        ...attempt,
        number: 1,
        reason: 'test',
      }),
    },
  },
  { problems: ['not_found', 'conflict', 'invalid_event'] },
)

export function testEventRoutes(engine: RouteEngine): EngineRoutes {
  const app = newRoutes()

  app.openapi(send, async (c) => {
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    const sent = await answerOnce<TestAttempt>(
      c,
      engine,
      (acting) => engine.sendTest(workspaceId, id, { ...c.req.valid('json'), acting }),
      // This route has stored it.
      (answer) => JSON.parse(answer) as TestAttempt,
    )
    return c.json(toTestAttempt(sent), 200)
  })

  return app
}
