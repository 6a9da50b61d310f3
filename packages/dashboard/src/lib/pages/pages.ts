import type { Action, Page } from '../visit.ts'
import { endpointConfirmations } from './confirm-endpoint.tsx'
import { deliveriesPage } from './deliveries.tsx'
import { DELIVERY_ACTIONS, deliveryPage, giveUpPage } from './delivery.tsx'
import { ENDPOINT_ACTIONS, endpointPage } from './endpoint.tsx'
import { ENDPOINT_FORM_ACTIONS, endpointEditPage, endpointNewPage } from './endpoint-form.tsx'
import { ENDPOINT_SECRET_ACTIONS, endpointSecretsPage } from './endpoint-secrets.tsx'
import { ENDPOINT_TEST_ACTIONS, endpointTestPage } from './endpoint-test.tsx'
import { endpointsPage } from './endpoints.tsx'
import { eventPage, eventsPage } from './events.tsx'
import { overviewPage } from './overview.tsx'
import { preferencesPage } from './preferences.tsx'
import { PROBLEM_ACTIONS, problemsPage } from './problems.tsx'
import { REPLAY_ACTIONS, replayNewPage, replayPage, replaysPage } from './replays.tsx'
import { WORKSPACE_ACTIONS, revokeKeyPage, workspacePage, workspacesPage } from './workspaces.tsx'

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

/** What its forms do. */
export const ACTIONS: readonly Action[] = [
  ...DELIVERY_ACTIONS,
  ...ENDPOINT_FORM_ACTIONS,
  ...ENDPOINT_ACTIONS,
  ...ENDPOINT_SECRET_ACTIONS,
  ...ENDPOINT_TEST_ACTIONS,
  ...PROBLEM_ACTIONS,
  ...REPLAY_ACTIONS,
  ...WORKSPACE_ACTIONS,
]
