import type { Action, Page } from '../visit.ts'
import { endpointConfirmations } from './confirm-endpoint.tsx'
import { deliveriesPage } from './deliveries.tsx'
import { deliveryPage } from './delivery.tsx'
import { DELIVERY_ACTIONS } from './delivery-actions.tsx'
import { endpointPage } from './endpoint.tsx'
import { ENDPOINT_ACTIONS } from './endpoint-actions.ts'
import { ENDPOINT_FORM_ACTIONS, endpointEditPage, endpointNewPage } from './endpoint-form.tsx'
import { ENDPOINT_SECRET_ACTIONS, endpointSecretsPage } from './endpoint-secrets.tsx'
import { ENDPOINT_TEST_ACTIONS, endpointTestPage } from './endpoint-test.tsx'
import { endpointsPage } from './endpoints.tsx'
import { eventPage, eventsPage } from './events.tsx'
import { giveUpPage } from './give-up.tsx'
import { KEY_ACTIONS, revokeKeyPage } from './key-actions.tsx'
import { overviewPage } from './overview.tsx'
import { preferencesPage } from './preferences.tsx'
import { PROBLEM_ACTIONS, problemsPage } from './problems.tsx'
import { REPLAY_ACTIONS } from './replay-actions.ts'
import { replayNewPage } from './replay-new.tsx'
import { replayPage } from './replay.tsx'
import { replaysPage } from './replays.tsx'
import { workspacePage } from './workspace.tsx'
import { workspacesPage } from './workspaces.tsx'

/** The pages of the dashboard. One whose path is a word comes before one that has a parameter in its place. */
export const PAGES: readonly Page[] = [
  overviewPage,
  deliveriesPage,
  deliveryPage,
  giveUpPage,
  endpointsPage,
  endpointNewPage,
  endpointPage,
  endpointEditPage,
  endpointSecretsPage,
  endpointTestPage,
  ...endpointConfirmations,
  problemsPage,
  replaysPage,
  replayNewPage,
  replayPage,
  eventsPage,
  eventPage,
  workspacesPage,
  workspacePage,
  revokeKeyPage,
  preferencesPage,
]

/** The changes that its forms make. */
export const ACTIONS: readonly Action[] = [
  ...DELIVERY_ACTIONS,
  ...ENDPOINT_FORM_ACTIONS,
  ...ENDPOINT_ACTIONS,
  ...ENDPOINT_SECRET_ACTIONS,
  ...ENDPOINT_TEST_ACTIONS,
  ...PROBLEM_ACTIONS,
  ...REPLAY_ACTIONS,
  ...KEY_ACTIONS,
]
