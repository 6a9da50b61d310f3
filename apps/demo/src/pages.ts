// Keepsend's pages in this app: the operator's dashboard, and the portal of the customers.
import { createDashboard, createPortal, createPortalLink } from '@keepsend/dashboard'
import { DEFAULT_SCOPES, type Engine, EngineError } from '@keepsend/engine'
import { Hono } from 'hono'
import { createSignIn } from './sign-in.ts'

const DAY_MS = 86_400_000

export interface PagesOptions {
  engine: Engine
  /** Signs its owner in as the operator; undefined or empty signs nobody in. */
  signInSecret: string | undefined
  /** The name of the installation in the pages. */
  environment: 'development' | 'production'
}

/** The pages, for `app.route('/', …)`. In your app let `authorize` read your own session in place of the demo's sign-in. */
export function createPages({ engine, signInSecret, environment }: PagesOptions): Hono {
  const { routes, isOperator } = createSignIn(signInSecret, '/admin/webhooks')
  const pages = new Hono().route('/', routes)
  pages.route(
    '/admin/webhooks',
    createDashboard({
      engine,
      environment,
      authorize: async (c) => ((await isOperator(c)) ? { name: 'operator', role: 'act' } : null),
    }),
  )

  pages.route('/portal', createPortal({ engine, name: 'Plover', development: environment === 'development' }))
  // Your app would redirect its own users to such a link, from their settings. Here the API key of a workspace stands for them.
  pages.post('/portal-link', async (c) => {
    const principal = await engine.apiKeys.authenticate(c.req.raw)
    if (!principal) throw new EngineError('unauthenticated', 'this needs the API key of a workspace')
    const { workspaceId, scopes } = principal
    // The link allows as much as they do.
    const missing = DEFAULT_SCOPES.filter((scope) => !scopes.includes(scope))
    if (missing.length > 0) throw new EngineError('forbidden', `this needs the scopes ${missing.join(', ')}`)
    const portalUrl = new URL('/portal', c.req.url).href
    const { url } = await createPortalLink({ engine, portalUrl, workspaceId, uses: 'many', expiresInMs: DAY_MS })
    return c.json({ url }, 201)
  })
  return pages
}
