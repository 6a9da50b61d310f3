import { createPortal, createPortalLink } from '@keepsend/dashboard'
import { PORTAL_CAPABILITIES } from '../../packages/engine/src/lib/portal-capabilities.ts'
import { type Installation, type StoryFile, openInstallation } from './installation.ts'

const PORTAL_MOUNT = '/webhooks'

/** An installation with the portal beside the dashboard. */
export interface PortalInstallation extends Installation {
  portalUrl: string
  /** A new link to the workspace, with all that a link can allow. */
  linkTo(workspaceId: string, uses: 'once' | 'many'): Promise<string>
  /** The cookie of a customer who has opened a link. */
  cookieOf(workspaceId: string): Promise<string>
}

export async function openPortalInstallation(story: Pick<StoryFile, 'file'>): Promise<PortalInstallation> {
  const installation = await openInstallation(story, {
    mount: (app, engine) =>
      app.route(
        PORTAL_MOUNT,
        createPortal({ engine, name: 'Plover', returnUrl: 'https://app.example.com/settings', development: true }),
      ),
  })
  const portalUrl = installation.origin + PORTAL_MOUNT
  const linkTo: PortalInstallation['linkTo'] = async (workspaceId, uses) => {
    const { engine } = installation
    const { url } = await createPortalLink({
      engine,
      portalUrl,
      workspaceId,
      uses,
      subject: 'Kim',
      capabilities: [...PORTAL_CAPABILITIES],
    })
    return url
  }
  return {
    ...installation,
    portalUrl,
    linkTo,
    async cookieOf(workspaceId) {
      const { headers } = await fetch(await linkTo(workspaceId, 'many'), { redirect: 'manual' })
      return headers.get('set-cookie')?.split(';')[0] ?? ''
    },
  }
}
