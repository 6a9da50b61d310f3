// The Worker of `pnpm demo:cloudflare`: what worker.ts binds, with a receiver on the loopback address, short times, and
// a look at what D1 bills. Nothing that a real installation should open.
import { jsonConsoleLogger, createWorker } from '@keepsend/adapter-cloudflare'
import { createKeyRing } from '@keepsend/engine'
import { createApp } from './app.ts'
import { type Meter, meterD1 } from './metered-d1.ts'
import { queueSettings } from './queue-settings.ts'
import { withSetup } from './setup.ts'
import type { Env } from './worker.ts'

interface StoryEnv extends Env {
  /** `no`: a delivered row is deleted, as it is by default. */
  KEEP_DELIVERED?: string
}

const meter: Meter = { rowsWritten: {}, redispatched: 0 }

export default createWorker({
  ...queueSettings,
  // The least that the bounds allow with these deadlines. What a killed process had in its queue is found after the
  // lease if it was never tried, and after the grace if it waited for a retry.
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
        keepCompleted: env.KEEP_DELIVERED !== 'no',
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
