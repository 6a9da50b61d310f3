import type { Engine, PortalLink, PortalLinkOptions } from '@keepsend/engine'
import { checkUrl } from '../site/addresses.ts'

export interface CreatePortalLinkOptions extends PortalLinkOptions {
  engine: Engine
  /** The address at which the portal is mounted, such as `https://app.example.com/webhooks`. */
  portalUrl: string
  /** The workspace that the link opens, and no other. */
  workspaceId: string
}

/**
 * Creates a link that opens the portal of one workspace. `uses: 'once'`, the default, is for a mail or a chat: it asks for a click
 * before it opens, and opens once. `uses: 'many'` is for a redirect or a frame of your own app, made when somebody asks for the page.
 *
 * @throws {TypeError} for an address that is none
 * @throws {EngineError} for an option out of its bounds, and at the limit of the workspace's active links
 * @example
 * const { url } = await createPortalLink({ engine, portalUrl: 'https://app.example.com/webhooks', workspaceId: 'w1', uses: 'many' })
 */
export async function createPortalLink({
  engine,
  portalUrl,
  workspaceId,
  ...options
}: CreatePortalLinkOptions): Promise<{ url: string; link: PortalLink }> {
  checkUrl('portalUrl', portalUrl)
  const { link, token } = await engine.portalLinks.create(workspaceId, options)
  return { url: `${portalUrl.replace(/\/$/, '')}/enter/${token}`, link }
}
