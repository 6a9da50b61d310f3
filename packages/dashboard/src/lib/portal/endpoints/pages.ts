import type { PortalAction, PortalPage } from '../portal-visit.ts'
import { ENDPOINT_STATE_ACTIONS, endpointConfirmations } from './confirm-endpoint.tsx'
import { portalEndpointNewAction, portalEndpointNewPage } from './endpoint-new.tsx'
import { portalSecretAction, portalSecretPage } from './endpoint-secret.tsx'
import { portalSettingsAction, portalSettingsPage } from './endpoint-settings.tsx'
import { portalTestAction, portalTestPage } from './endpoint-test.tsx'
import { portalEndpointsPage } from './endpoints.tsx'
import { portalSecretEndAction, portalSecretEndPage } from './secret-end.tsx'

/** Pages about the customer's endpoints. */
export const ENDPOINT_PAGES: readonly PortalPage[] = [
  portalEndpointsPage,
  portalEndpointNewPage,
  portalSettingsPage,
  portalSecretPage,
  portalSecretEndPage,
  portalTestPage,
  ...endpointConfirmations,
]

export const ENDPOINT_ACTIONS: readonly PortalAction[] = [
  portalEndpointNewAction,
  portalSettingsAction,
  portalSecretAction,
  portalSecretEndAction,
  portalTestAction,
  ...ENDPOINT_STATE_ACTIONS,
]
