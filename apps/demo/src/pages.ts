// Keepsend's pages in this app: the operator's dashboard.
import { createDashboard } from '@keepsend/dashboard'
import type { Engine } from '@keepsend/engine'
import { Hono } from 'hono'
import { createSignIn } from './sign-in.ts'

export interface PagesOptions {
  engine: Engine
  /** Signs its owner in as the operator; undefined or empty signs nobody in. */
  signInSecret: string | undefined
  /** The name of the installation in the pages. */
  environment: string
}

/** The pages, for `app.route('/', …)`. In your app let `authorize` read your own session in place of the demo's sign-in. */
export function createPages({ engine, signInSecret, environment }: PagesOptions): Hono {
  const { routes, isOperator } = createSignIn(signInSecret, '/admin/webhooks')
  return new Hono().route('/', routes).route(
    '/admin/webhooks',
    createDashboard({
      engine,
      environment,
      authorize: async (c) => ((await isOperator(c)) ? { name: 'operator', role: 'act' } : null),
    }),
  )
}
