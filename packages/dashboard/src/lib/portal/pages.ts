import { keyboardPage } from '../site/keyboard-page.tsx'
import { preferencesPage } from '../site/preferences-page.tsx'
import { DELIVERY_ACTIONS, DELIVERY_PAGES } from './deliveries/pages.ts'
import { ENDPOINT_ACTIONS, ENDPOINT_PAGES } from './endpoints/pages.ts'
import { portalEventPage, portalEventsPage } from './events/events.tsx'
import type { PortalAction, PortalPage } from './portal-visit.ts'

/** The pages of the portal. One whose path is a word comes before one that has a parameter in its place. */
export const PORTAL_PAGES: readonly PortalPage[] = [
  ...ENDPOINT_PAGES,
  ...DELIVERY_PAGES,
  portalEventsPage,
  portalEventPage,
  preferencesPage,
  keyboardPage,
]

/** The changes that its forms make. */
export const PORTAL_ACTIONS: readonly PortalAction[] = [...ENDPOINT_ACTIONS, ...DELIVERY_ACTIONS]
