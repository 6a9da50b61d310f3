// The app on Cloudflare: this file binds it to D1, a queue and a cron, and that is all there is to it.
import { createWorker } from '@keepsend/adapter-cloudflare'
import { createApp } from './app.ts'
import { queueSettings } from './queue-settings.ts'
import { withSetup } from './setup.ts'

export interface Env {
  DB: D1Database
  WEBHOOKS: Queue
  /** A secret: `wrangler secret put SETUP_SECRET`. */
  SETUP_SECRET?: string
}

export default createWorker({
  ...queueSettings,
  bindings: (env: Env) => ({ db: env.DB, queue: env.WEBHOOKS, engine: { keepCompleted: true } }),
  app: ({ engine, env }) => withSetup(createApp(engine), { engine, secret: env.SETUP_SECRET }),
}) satisfies ExportedHandler<Env>
