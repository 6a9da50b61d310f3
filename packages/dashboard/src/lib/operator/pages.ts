import type { OperatorAction, OperatorPage } from './operator-visit.ts'
import { endpointConfirmations } from './endpoints/confirm-endpoint.tsx'
import { deliveriesPage } from './deliveries/deliveries.tsx'
import { deliveryPage } from './deliveries/delivery.tsx'
import { DELIVERY_ACTIONS } from './deliveries/delivery-actions.tsx'
import { pauseEndpointPage } from './endpoints/pause-endpoint.tsx'
import { endpointPage } from './endpoints/endpoint.tsx'
import { ENDPOINT_ACTIONS } from './endpoints/endpoint-actions.tsx'
import { ENDPOINT_FORM_ACTIONS, endpointEditPage, endpointNewPage } from './endpoints/endpoint-form.tsx'
import { ENDPOINT_SECRET_ACTIONS, endpointSecretsPage } from './endpoints/endpoint-secrets.tsx'
import { ENDPOINT_TEST_ACTIONS, endpointTestPage } from './endpoints/endpoint-test.tsx'
import { endpointsPage } from './endpoints/endpoints.tsx'
import { eventPage } from './events/event.tsx'
import { eventsPage } from './events/events.tsx'
import { giveUpPage } from './deliveries/give-up.tsx'
import { workspaceKeysPage } from './workspaces/keys.tsx'
import { LINK_ACTIONS } from './workspaces/link-actions.tsx'
import { KEY_ACTIONS, revokeKeyPage } from './workspaces/key-actions.tsx'
import { keyboardPage } from '../site/keyboard-page.tsx'
import { overviewPage } from './overview/overview.tsx'
import { preferencesPage } from '../site/preferences-page.tsx'
import { publishedPage } from './published/published.tsx'
import { publishedEventPage } from './published/published-event.tsx'
import { PROBLEM_ACTIONS } from './problems/problem-actions.ts'
import { problemsPage } from './problems/problems.tsx'
import { REPLAY_ACTIONS } from './replays/replay-actions.ts'
import { replayNewPage } from './replays/replay-new.tsx'
import { cancelReplayPage } from './replays/cancel-replay.tsx'
import { replayPage } from './replays/replay.tsx'
import { replaysPage } from './replays/replays.tsx'
import { workspacePage } from './workspaces/workspace.tsx'
import { workspacesPage } from './workspaces/workspaces.tsx'

/** The pages of the dashboard. One whose path is a word comes before one that has a parameter in its place. */
export const PAGES: readonly OperatorPage[] = [
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
  pauseEndpointPage,
  ...endpointConfirmations,
  problemsPage,
  replaysPage,
  replayNewPage,
  replayPage,
  cancelReplayPage,
  eventsPage,
  eventPage,
  publishedPage,
  publishedEventPage,
  workspacesPage,
  workspacePage,
  workspaceKeysPage,
  revokeKeyPage,
  preferencesPage,
  keyboardPage,
]

/** The changes that its forms make. */
export const ACTIONS: readonly OperatorAction[] = [
  ...DELIVERY_ACTIONS,
  ...ENDPOINT_FORM_ACTIONS,
  ...ENDPOINT_ACTIONS,
  ...ENDPOINT_SECRET_ACTIONS,
  ...ENDPOINT_TEST_ACTIONS,
  ...PROBLEM_ACTIONS,
  ...REPLAY_ACTIONS,
  ...KEY_ACTIONS,
  ...LINK_ACTIONS,
]
