import type { PortalAction, PortalPage } from '../portal-visit.ts'

/** Pages about deliveries: the list of an endpoint, one delivery, and sending again. */
export const DELIVERY_PAGES: readonly PortalPage[] = []

export const DELIVERY_ACTIONS: readonly PortalAction[] = []
