// The app on Cloudflare: binds it to D1, a queue and a cron.
import { createWorker } from '@keepsend/adapter-cloudflare'
import { createKeyRing } from '@keepsend/engine'
import { createApp } from './app.ts'
import { catalog } from './catalog.ts'
import { createPages } from './pages.ts'
import { queueSettings } from './queue-settings.ts'
import { withSetup } from './setup.ts'

export interface Env {
  DB: D1Database
  WEBHOOKS: Queue
  /** A secret, `id:base64`: the key that encrypts the endpoints' secrets. */
  KEEPSEND_SECRET_KEY: string
  /** A secret: `wrangler secret put SETUP_SECRET`. */
  SETUP_SECRET?: string
  /** A secret: opens the operator's dashboard, at `/admin/sign-in/<secret>`. Without it the dashboard is closed. */
  SIGN_IN_SECRET?: string
}

export default createWorker({
  ...queueSettings,
  bindings: (env: Env) => ({
    db: env.DB,
    queue: env.WEBHOOKS,
    secrets: createKeyRing(env.KEEPSEND_SECRET_KEY),
    // Records failed attempts, the default on D1: a delivery that succeeds writes no more rows than without.
    engine: { catalog, history: true },
  }),
  app: ({ engine, env }) => {
    const pages = createPages({ engine, signInSecret: env.SIGN_IN_SECRET, environment: 'production' })
    return withSetup(createApp(engine, { pages }), { engine, secret: env.SETUP_SECRET })
  },
}) satisfies ExportedHandler<Env>
