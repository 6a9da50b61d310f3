import { createRoute, z } from '@hono/zod-openapi'
import { oldestDue } from '@keepsend/outbox'
import { keyFault } from '../secrets/key-check.ts'
import { inTime } from '../in-time.ts'
import { errorFields } from '../logger.ts'
import { type RouteEngine, json, newRoutes } from './route.ts'
import type { EngineRoutes } from '../engine-routes.ts'

const WHY = {
  wrong: 'the keys of secrets are not those of the database',
  unreachable: 'the keys of secrets do not answer',
  database: 'the database does not answer',
}

const count = z.int().openapi({ minimum: 0 })

const healthy = z
  .object({
    status: z.literal('ok'),
    oldestDueMs: z.number().openapi({ description: 'How long the oldest due delivery has waited', minimum: 0 }),
    queueErrors: count.openapi({ description: 'Messages that the queue did not take' }),
    degraded: count.openapi({ description: 'Events whose rows could not be inserted and went to the queue' }),
    notAccepted: count.openapi({ description: 'Events that neither the database nor the queue took' }),
  })
  .openapi('Healthy', { description: 'Counts are of this process, since it began' })

const health = createRoute({
  method: 'get',
  path: '/health',
  operationId: 'getHealth',
  tags: ['Health'],
  summary: 'Say whether the server works',
  description:
    'Whether the database answers, and how long the oldest due delivery has waited, at most a second ago. Asks for no key.',
  security: [],
  responses: {
    200: json('It does', healthy, { status: 'ok', oldestDueMs: 0, queueErrors: 0, degraded: 0, notAccepted: 0 }),
    503: json(
      'It does not, or the keys of `secrets` do not, or are not those of the database',
      z.object({ status: z.literal('unavailable') }).openapi('Unhealthy'),
      { status: 'unavailable' },
    ),
  },
})

const FRESH_MS = 1000
/** A database that takes longer does not answer. On Workers this also ends the wait for a look whose request was cancelled. */
const LOOK_MS = 5000

interface Look {
  at: number
  isOver: boolean
  oldestDueMs: Promise<number | undefined>
}

/** No workspace's data, so no credential: a load balancer asks, or anybody as often as they like, with one look a second. */
export function healthRoutes(engine: RouteEngine): EngineRoutes {
  const app = newRoutes()
  let last: Look | undefined

  function look(at: number): Look {
    const started: Look = { at, isOver: false, oldestDueMs: read() }
    void started.oldestDueMs.then(() => (started.isOver = true))
    return started
  }

  async function read(): Promise<number | undefined> {
    try {
      const oldestDueMs = await oldestDue(engine.db)
      await engine.verifyKeys()
      return oldestDueMs
    } catch (error) {
      engine.logger.error(errorFields(error), WHY[keyFault(error) ?? 'database'])
      return undefined
    }
  }

  app.openapi(health, async (c) => {
    const now = performance.now()
    if (!last || now - last.at >= (last.isOver ? FRESH_MS : LOOK_MS)) last = look(now)
    // A look that goes on says what it came to in the log.
    const oldestDueMs = await inTime(last.oldestDueMs, LOOK_MS, 'the health check').catch(() => undefined)
    return oldestDueMs === undefined
      ? c.json({ status: 'unavailable' as const }, 503)
      : c.json({ status: 'ok' as const, oldestDueMs, ...engine.counters }, 200)
  })
  return app
}
