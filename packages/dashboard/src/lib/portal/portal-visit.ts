import type { PortalCapability, PortalLink } from '@keepsend/engine'
import type { Viewer } from '../site/site.tsx'
import type { Page, Sent, Shown, Visit } from '../site/visit.ts'

/** A customer who came by a link. */
export interface Customer extends Viewer {
  link: PortalLink
}

/** A request for a page of the portal. Whatever it reads belongs to `workspaceId`. */
export interface PortalVisit extends Visit {
  workspaceId: string
  /** Whether the link allows it; what it does not allow is not drawn, and refused. */
  may: (capability: PortalCapability) => boolean
  /** The name of the sender. */
  sender: string
  /** Where receivers learn to verify signatures. */
  verifyingUrl: string
}

export type PortalPage = Page<PortalVisit>
export type PortalSent = Sent<PortalVisit>

/** A change that the link must allow. */
export interface PortalAction {
  path: string
  needs: PortalCapability
  act(sent: PortalSent): Promise<string | Shown>
}
