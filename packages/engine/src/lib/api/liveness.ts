import { createRoute, z } from '@hono/zod-openapi'
import { oldestDue } from '@keepsend/outbox'
import { keyFault } from '../secrets/key-check.ts'
import { inTime } from '../in-time.ts'
import { errorFields } from '../logger.ts'
import { type RouteEngine, json, newRoutes } from './route.ts'
import type { EngineRoutes } from '../engine-routes.ts'

const FAILURES = {
  wrong: 'health check failed: the keys of secrets are not those of the database',
  unreachable: 'health check failed: the key service of secrets does not answer',
  database: 'health check failed: the database does not answer',
}

const count = z.int().openapi({ minimum: 0 })

const healthy = z
  .object({
    status: z.literal('ok'),
    oldestDueMs: z.number().openapi({ description: 'How long the oldest due delivery has waited', minimum: 0 }),
    queueErrors: count.openapi({ description: 'Dispatches that the queue rejected' }),
    degraded: count.openapi({ description: 'Events whose rows could not be inserted and that were sent to the queue' }),
    notAccepted: count.openapi({ description: 'Events that neither the database nor the queue accepted: lost' }),
  })
  .openapi('Healthy', { description: 'Counts are those of this process since its start' })

const health = createRoute({
  method: 'get',
  path: '/health',
  operationId: 'getHealth',
  tags: ['Health'],
  summary: 'Check whether the server works',
  description:
    'Whether the database answers, and how long the oldest due delivery has waited. The result is at most a second old. Needs no key.',
  security: [],
  responses: {
    200: json('It works', healthy, { status: 'ok', oldestDueMs: 0, queueErrors: 0, degraded: 0, notAccepted: 0 }),
    503: json(
      'The database or the key service of `secrets` does not answer, or the keys are not those of the database',
      z.object({ status: z.literal('unavailable') }).openapi('Unhealthy'),
      { status: 'unavailable' },
    ),
  },
})

const FRESH_MS = 1000
/** After this a check counts as failed. On Workers a check whose request was cancelled never ends, so a new one starts then. */
const CHECK_TIMEOUT_MS = 5000

interface Check {
  at: number
  isOver: boolean
  oldestDueMs: Promise<number | undefined>
}

/** Needs no credential, because it shows no workspace's data. Any number of requests cause one database check a second. */
export function healthRoutes(engine: RouteEngine): EngineRoutes {
  const app = newRoutes()
  let last: Check | undefined

  function start(at: number): Check {
    const started: Check = { at, isOver: false, oldestDueMs: read() }
    void started.oldestDueMs.then(() => (started.isOver = true))
    return started
  }

  async function read(): Promise<number | undefined> {
    try {
      const oldestDueMs = await oldestDue(engine.db)
      await engine.verifyKeys()
      return oldestDueMs
    } catch (error) {
      engine.logger.error(errorFields(error), FAILURES[keyFault(error) ?? 'database'])
      return undefined
    }
  }

  app.openapi(health, async (c) => {
    const now = performance.now()
    if (!last || now - last.at >= (last.isOver ? FRESH_MS : CHECK_TIMEOUT_MS)) last = start(now)
    // A check that takes longer still logs its failure when it ends.
    const oldestDueMs = await inTime(last.oldestDueMs, CHECK_TIMEOUT_MS, 'the health check').catch(() => undefined)
    return oldestDueMs === undefined
      ? c.json({ status: 'unavailable' as const }, 503)
      : c.json({ status: 'ok' as const, oldestDueMs, ...engine.counters }, 200)
  })
  return app
}
