import { API_KEY_LIST_OPTIONS, API_KEY_OPTIONS, API_KEY_ROTATE_OPTIONS } from '../src/lib/access/api-keys.ts'
import { BY_OPTION } from '../src/lib/audit/action.ts'
import { AUDIT_FILTER } from '../src/lib/audit/audit-store.ts'
import { CHECK_URL_OPTIONS, URL_POLICY_OPTIONS } from '../src/lib/url-policy/check-url.ts'
import { EVENT_TYPE_FILTER } from '../src/lib/catalog/event-types.ts'
import { COMMIT_OPTIONS } from '../src/lib/publish/commit.ts'
import { RETRY_NOW_OPTIONS } from '../src/lib/deliveries/move-delivery.ts'
import { DELIVERY_LIST_OPTIONS } from '../src/lib/deliveries/delivery-filter.ts'
import { PAGE_OPTIONS } from '../src/lib/deliveries/delivery-list.ts'
import { ENDPOINT_OPTIONS } from '../src/lib/endpoints/check-endpoint.ts'
import { CHANGE_OPTIONS } from '../src/lib/endpoints/endpoint-change.ts'
import { END_SECRET_OPTIONS } from '../src/lib/endpoints/end-secret.ts'
import { ROTATE_OPTIONS } from '../src/lib/endpoints/endpoint-secrets.ts'
import { ENDPOINT_LIST_OPTIONS, STATE_OPTIONS } from '../src/lib/endpoints/endpoint-store-api.ts'
import { UPSERT_OPTIONS } from '../src/lib/endpoints/endpoints-by-uid.ts'
import { EVENT_FILTER } from '../src/lib/events/event-store.ts'
import { EVENT_OPTIONS } from '../src/lib/publish/event.ts'
import { EXPORT_OPTIONS } from '../src/lib/export/export-workspace.ts'
import { ATTEMPT_FILTER } from '../src/lib/history/attempt-list.ts'
import { WORKSPACE_LIST_OPTIONS } from '../src/lib/workspaces/workspace-list.ts'
import { WORKSPACE_RETENTION } from '../src/lib/history/workspace-retention.ts'
import { STATISTICS_SERIES_OPTIONS, STATISTICS_SUMMARY_OPTIONS } from '../src/lib/statistics/statistics-api.ts'
import { COMMIT_WITH_EVENTS_OPTIONS } from '../src/lib/hono.ts'
import { ENGINE_OPTION_NAMES } from '../src/lib/options.ts'
import { PAUSE_OPTIONS } from '../src/lib/backlog/pause.ts'
import { REENCRYPT_OPTIONS } from '../src/lib/secrets/reencrypt.ts'
import { TEST_OPTIONS } from '../src/lib/delivery/send-test.ts'
import { SETTLE_NEXT_OPTIONS } from '../src/lib/delivery/settle-deliveries.ts'
import { PORTAL_LINK_LIST_OPTIONS, PORTAL_LINK_OPTIONS } from '../src/lib/portal-links/portal-links.ts'
import { PROBLEM_FILTER } from '../src/lib/problems/problem-list.ts'
import { SIGNER_OPTIONS } from '../src/lib/signing/sign.ts'
import { RESUME_HELD_OPTIONS } from '../src/lib/backlog/resume-due.ts'
import { ERASE_STATEMENTS_OPTIONS } from '../src/lib/erasures/create-erasure.ts'
import { ERASURE_INPUTS } from '../src/lib/erasures/erasure-input.ts'
import { ERASURE_LIST_OPTIONS } from '../src/lib/erasures/erasure-store.ts'
import { STEP_ERASURES_OPTIONS } from '../src/lib/erasures/step-erasures.ts'
import { CREATE_REPLAY_OPTIONS } from '../src/lib/replays/create-replay.ts'
import { REPLAY_INPUTS } from '../src/lib/replays/replay-input.ts'
import { REPLAY_LIST_OPTIONS } from '../src/lib/replays/replay-store.ts'
import { STEP_REPLAYS_OPTIONS } from '../src/lib/replays/step-replays.ts'

/** The options of each function, by the name that its errors use. */
export const OPTION_NAMES = {
  createEngine: ENGINE_OPTION_NAMES,
  createCheckUrl: URL_POLICY_OPTIONS,
  'the options of createCheckUrl': CHECK_URL_OPTIONS,
  createWebCryptoSigner: SIGNER_OPTIONS,
  reencryptSecrets: REENCRYPT_OPTIONS,
  commitWithEvents: COMMIT_WITH_EVENTS_OPTIONS,
  'engine.commit': COMMIT_OPTIONS,
  'engine.eventTypes': EVENT_TYPE_FILTER,
  'engine.worker.settle': SETTLE_NEXT_OPTIONS,
  'engine.publishTest': STATE_OPTIONS,
  'engine.sendTest': TEST_OPTIONS,
  'attempts.list': ATTEMPT_FILTER,
  'engine.export': EXPORT_OPTIONS,
  'problems.list': PROBLEM_FILTER,
  'audit.list': AUDIT_FILTER,
  'problems.acknowledge': BY_OPTION,
  'problems.resolve': BY_OPTION,
  'workspaces.setRetention': WORKSPACE_RETENTION,
  'workspaces.list': WORKSPACE_LIST_OPTIONS,
  'the options of workspaces.setRetention': BY_OPTION,
  'statistics.series': STATISTICS_SERIES_OPTIONS,
  'statistics.summary': STATISTICS_SUMMARY_OPTIONS,
  'engine.worker.resumeHeld': RESUME_HELD_OPTIONS,
  'apiKeys.create': API_KEY_OPTIONS,
  'apiKeys.list': API_KEY_LIST_OPTIONS,
  'apiKeys.revoke': BY_OPTION,
  'apiKeys.rotate': API_KEY_ROTATE_OPTIONS,
  'portalLinks.create': PORTAL_LINK_OPTIONS,
  'portalLinks.list': PORTAL_LINK_LIST_OPTIONS,
  'portalLinks.revoke': BY_OPTION,
  'portalLinks.open': BY_OPTION,
  'engine.worker.stepReplays': STEP_REPLAYS_OPTIONS,
  'a replay of failed': REPLAY_INPUTS.failed,
  'a replay of delivered': REPLAY_INPUTS.delivered,
  'a replay of missed': REPLAY_INPUTS.missed,
  'a replay of matching': REPLAY_INPUTS.matching,
  'a replay of ids': REPLAY_INPUTS.ids,
  'the options of replays.create': CREATE_REPLAY_OPTIONS,
  'replays.list': REPLAY_LIST_OPTIONS,
  'engine.worker.stepErasures': STEP_ERASURES_OPTIONS,
  'an erasure of event': ERASURE_INPUTS.event,
  'an erasure of endpoint': ERASURE_INPUTS.endpoint,
  'an erasure of range': ERASURE_INPUTS.range,
  'an erasure of workspace': ERASURE_INPUTS.workspace,
  'the options of erase': BY_OPTION,
  eraseStatements: ERASE_STATEMENTS_OPTIONS,
  'erasures.list': ERASURE_LIST_OPTIONS,
  'an event': EVENT_OPTIONS,
  'an endpoint': ENDPOINT_OPTIONS,
  'an endpoint by its uid': UPSERT_OPTIONS,
  'endpoints.list': ENDPOINT_LIST_OPTIONS,
  'endpoints.create': BY_OPTION,
  'endpoints.update': CHANGE_OPTIONS,
  'endpoints.upsert': CHANGE_OPTIONS,
  'endpoints.delete': CHANGE_OPTIONS,
  'endpoints.setStatus': STATE_OPTIONS,
  'endpoints.resume': STATE_OPTIONS,
  'endpoints.pause': PAUSE_OPTIONS,
  'endpoints.rotateSecret': ROTATE_OPTIONS,
  'endpoints.endSecret': END_SECRET_OPTIONS,
  'endpoints.revealSecrets': BY_OPTION,
  'deliveries.replay': BY_OPTION,
  'deliveries.retryNow': RETRY_NOW_OPTIONS,
  'deliveries.giveUp': BY_OPTION,
  'deliveries.list': DELIVERY_LIST_OPTIONS,
  'deliveries.listEvents': PAGE_OPTIONS,
  'events.list': EVENT_FILTER,
}
