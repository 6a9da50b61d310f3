import { type CreatePortalLinkOptions, type PortalOptions, createPortal, createPortalLink } from '@keepsend/dashboard'
import { createTestEngine } from '@keepsend/testing'
import { Hono } from 'hono'
import { visitor } from './visitor.ts'

export const PORTAL = '/webhooks'

/** A portal on an engine in memory with history, and a customer of the workspace `w1` who has opened a link. */
export async function openPortal({
  engine: given,
  link: options,
  ...portal
}: Partial<Omit<PortalOptions, 'engine'>> & {
  engine?: Awaited<ReturnType<typeof createTestEngine>>
  link?: Partial<CreatePortalLinkOptions>
} = {}) {
  const engine = given ?? (await createTestEngine({ history: true }))
  const app = new Hono().route(PORTAL, createPortal({ engine, name: 'Plover', ...portal }))
  /** A link, and its path. */
  const linkOf = async (more: Partial<CreatePortalLinkOptions> = {}) => {
    const { url, link } = await createPortalLink({
      engine,
      portalUrl: `https://app.example.com${PORTAL}`,
      workspaceId: 'w1',
      ...more,
    })
    return { link, path: new URL(url).pathname }
  }
  const customer = visitor(app)
  const { path, link } = await linkOf({ uses: 'many', ...options })
  await customer.request(path)
  return { engine, app, link, linkOf, ...customer }
}
