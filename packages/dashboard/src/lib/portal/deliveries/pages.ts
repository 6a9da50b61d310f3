import type { PortalAction, PortalPage } from '../portal-visit.ts'
import { portalDeliveryPage, sendAgainAction } from './delivery.tsx'
import { portalEndpointPage } from './endpoint.tsx'
import { resendAction, resendPage } from './resend.tsx'

/** Pages about deliveries: the list of an endpoint, one delivery, and sending again. */
export const DELIVERY_PAGES: readonly PortalPage[] = [portalEndpointPage, resendPage, portalDeliveryPage]

export const DELIVERY_ACTIONS: readonly PortalAction[] = [resendAction, sendAgainAction]
