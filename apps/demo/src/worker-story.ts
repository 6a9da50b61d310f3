// The Worker of `pnpm demo:cloudflare`: like worker.ts, with a receiver on loopback, short times, and a meter of the rows that
// D1 bills. Not for real installations.
import { createWorker, jsonConsoleLogger } from '@keepsend/adapter-cloudflare'
import { createKeyRing } from '@keepsend/engine'
import { createApp } from './app.ts'
import { catalog } from './catalog.ts'
import { type Meter, meterD1 } from './metered-d1.ts'
import { queueSettings } from './queue-settings.ts'
import { withSetup } from './setup.ts'
import type { Env } from './worker.ts'

interface StoryEnv extends Env {
  /** Which attempts to record; `failed` is the default on D1. */
  RECORD_ATTEMPTS?: 'all' | 'failed'
}

const meter: Meter = { rowsWritten: {}, redispatched: 0 }

export default createWorker({
  ...queueSettings,
  // The minimum for these deadlines. After a kill, the sweep finds an untried row after the lease, and a row that waited for a
  // retry after the grace.
  leaseMs: 17_000,
  graceMs: 60_000,
  bindings: (env: StoryEnv) => {
    const { d1, rowsWritten } = meterD1(env.DB)
    meter.rowsWritten = rowsWritten
    return {
      db: d1,
      queue: env.WEBHOOKS,
      secrets: createKeyRing(env.KEEPSEND_SECRET_KEY),
      engine: {
        catalog,
        history: { attempts: env.RECORD_ATTEMPTS },
        urlPolicy: { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: 'any' },
        circuit: { openMs: 1000 },
        deadlineMs: 3000,
        maxDeadlineMs: 3000,
        logger: {
          ...jsonConsoleLogger,
          info: ({ redispatched }) => void (meter.redispatched += Number(redispatched ?? 0)),
        },
      },
    }
  },
  app: ({ engine, env }) => {
    const app = withSetup(createApp(engine), { engine, secret: env.SETUP_SECRET })
    return {
      fetch: (request: Request, bound: StoryEnv, context: ExecutionContext) =>
        new URL(request.url).pathname === '/meter' ? Response.json(meter) : app.fetch(request, bound, context),
    }
  },
}) satisfies ExportedHandler<StoryEnv>
