import type { PortalAction, PortalPage } from '../portal-visit.ts'
import { portalEndpointsPage } from './endpoints.tsx'

/** Pages about the customer's endpoints. */
export const ENDPOINT_PAGES: readonly PortalPage[] = [portalEndpointsPage]

export const ENDPOINT_ACTIONS: readonly PortalAction[] = []
