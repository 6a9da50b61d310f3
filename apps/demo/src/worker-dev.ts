// The Worker of `pnpm dev:cloudflare`: like worker.ts, with receivers on loopback, short times, and all of the history. Not for
// real installations, where D1 bills each row of it.
import { createWorker, jsonConsoleLogger } from '@keepsend/adapter-cloudflare'
import { createKeyRing } from '@keepsend/engine'
import { createApp } from './app.ts'
import { catalog } from './catalog.ts'
import { createPages } from './pages.ts'
import { queueSettings } from './queue-settings.ts'
import { TIMES } from './times.ts'
import type { Env } from './worker.ts'

const times = TIMES.dev.engine

export default createWorker({
  ...queueSettings,
  bindings: (env: Env) => ({
    db: env.DB,
    queue: env.WEBHOOKS,
    secrets: createKeyRing(env.KEEPSEND_SECRET_KEY),
    engine: {
      ...times,
      catalog,
      history: { ...times.history, attempts: 'all', events: true, statistics: true },
      urlPolicy: { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: 'any' },
      // Failed attempts are warnings, and this story is full of them.
      logger: { ...jsonConsoleLogger, info: () => {}, warn: () => {} },
    },
  }),
  app: ({ engine, env }) =>
    createApp(engine, {
      pages: createPages({ engine, signInSecret: env.SIGN_IN_SECRET, environment: 'development' }),
    }),
}) satisfies ExportedHandler<Env>
