export type { ApiKey, ApiKeyOptions, ApiKeys, Authenticate, NewApiKey, Principal } from './lib/access/api-keys.ts'
export type { ByOption } from './lib/audit/action.ts'
export type { AuditEntry, AuditFilter, AuditStore } from './lib/audit/audit-store.ts'
export type { AuditVerb } from './lib/audit-verbs.ts'
export type { PauseOptions } from './lib/backlog/pause.ts'
export type { ResumeHeldOptions, ResumeHeldResult, ResumedDelivery } from './lib/backlog/resume-due.ts'
export type { AsSent, DefinedEvent } from './lib/catalog/defined-event.ts'
export type { CatalogVersionsOption, EventCatalog, EventOf } from './lib/catalog/event-catalog.ts'
export { defineEvents, event } from './lib/catalog/event-catalog.ts'
export type { EventDefinition, EventDefinitions, EventSchema, OlderVersion } from './lib/catalog/event-definition.ts'
export { eventDeclarations } from './lib/catalog/event-declarations.ts'
export type { EventType, EventTypeFilter, EventTypeVersion } from './lib/catalog/event-types.ts'
export type { JsonSchema } from './lib/catalog/json-schema.ts'
export { consoleLogger } from './lib/console-logger.ts'
export type {
  BasicAuth,
  BearerAuth,
  EndpointAuth,
  EndpointTls,
  OAuth2Auth,
  ShownAuth,
  ShownTls,
} from './lib/credentials.ts'
export type { CancelResult } from './lib/events/cancel-event.ts'
export type { EventSearch } from './lib/events/event-search.ts'
export type { ExportOptions, ExportWorkspace } from './lib/export/export-workspace.ts'
export type { EventFilter, EventStore, StoredEvent } from './lib/events/event-store.ts'
export type { ListedEvent } from './lib/events/recorded-events.ts'
export type { DeliveryFilter, HttpClass } from './lib/deliveries/delivery-filter.ts'
export type { TimeRange } from './lib/time-range.ts'
export type { DeliveryLists, EventSummary } from './lib/deliveries/delivery-list.ts'
export type { DeliveryStore, EventDeliveries } from './lib/deliveries/delivery-store.ts'
export type { RetryNowOptions } from './lib/deliveries/move-delivery.ts'
export type { Delivery, DeliveryState } from './lib/deliveries/delivery.ts'
export type { DeliveryWithAttempts, FoundDelivery } from './lib/deliveries/find-delivery.ts'
export type { DeliveryPage } from './lib/deliveries/list-deliveries.ts'
export type { Admission } from './lib/delivery/admission.ts'
export type { TestAttempt, TestOptions } from './lib/delivery/send-test.ts'
export type { SettleNext } from './lib/delivery/settle-deliveries.ts'
export type { SettleEachResult, SettledDelivery } from './lib/delivery/settled-delivery.ts'
export type { ChangeOptions } from './lib/endpoints/endpoint-change.ts'
export type { EndSecretOptions } from './lib/endpoints/end-secret.ts'
export type { EndpointSecret, RotateOptions } from './lib/endpoints/endpoint-secrets.ts'
export type { EndpointStore, StateOptions, UpsertInput, UpsertResult } from './lib/endpoints/endpoint-store-api.ts'
export type { Endpoint, EndpointInput } from './lib/endpoints/endpoint.ts'
export type { Engine, PublishResult } from './lib/engine-api.ts'
export type { EngineRoutes } from './lib/engine-routes.ts'
export type { EngineWorker } from './lib/engine-worker.ts'
export { createEngine } from './lib/engine.ts'
export type { DeliveryError, ErrorClass } from './lib/error-classes.ts'
export { ERROR_CLASSES, classOf, explanationOf } from './lib/error-classes.ts'
export type { ErrorExplanation } from './lib/http-explanations.ts'
export { HTTP_EXPLANATIONS } from './lib/http-explanations.ts'
export type { EngineErrorCode } from './lib/errors.ts'
export { EngineError } from './lib/errors.ts'
export type { ContentFilter } from './lib/filters/content-filter.ts'
export type { EventMatch, UnplacedEvent } from './lib/endpoints/match-event.ts'
export type { CircuitOptions } from './lib/health/circuit-breaker.ts'
export type { OperationalType } from './lib/health/occurrence.ts'
export type { CommitWithEventsOptions, EventOfEnv, KeepsendEnv } from './lib/hono.ts'
export { commitWithEvents, keepsend, publishEvent, replayIdempotentResponse } from './lib/hono.ts'
export type { Attempt, AttemptFilter, AttemptStore } from './lib/history/attempt-list.ts'
export type { WorkspaceRetention, WorkspaceStore } from './lib/history/workspace-retention.ts'
export type { HistoryOptions } from './lib/history/history-options.ts'
export type { Worker, WorkerList } from './lib/workers.ts'
export type { AttemptOutcome, OutcomeFilter } from './lib/history/attempt-end.ts'
export type { IdempotencyKey } from './lib/idempotency/idempotency.ts'
export type { DeliveryIds, LifecycleEvents, LifecycleListener, LifecycleName } from './lib/lifecycle.ts'
export type { Limits } from './lib/limits.ts'
export type { Logger } from './lib/logger.ts'
export { silentLogger } from './lib/logger.ts'
export type { MaintenanceResult } from './lib/maintenance.ts'
export { migrateEngine } from './lib/migrations.ts'
export type { EngineOptions } from './lib/options.ts'
export type {
  AttemptFacts,
  AttemptRecord,
  DeliveryOutcome,
  FinishedDelivery,
  HoldReason,
  RecordedResponse,
} from './lib/outcome.ts'
export type { Page } from './lib/page.ts'
export type { PortalCapability } from './lib/portal-capabilities.ts'
export type { PortalLink } from './lib/portal-links/portal-link.ts'
export type {
  NewPortalLink,
  OpenedPortalLink,
  PortalLinkListOptions,
  PortalLinkOptions,
  PortalLinks,
} from './lib/portal-links/portal-links.ts'
export type { EndpointProblem, ProblemState } from './lib/problems/endpoint-problem.ts'
export type { ProblemFilter } from './lib/problems/problem-list.ts'
export type { ProblemStore } from './lib/problems/problem-store.ts'
export type { Problem } from './lib/problem.ts'
export { problemResponse } from './lib/problem.ts'
export type { CommitOptions, CommitResult } from './lib/publish/commit.ts'
export type { BackgroundOption, EngineCounters } from './lib/publish/dispatch.ts'
export { insertQueuedEvent } from './lib/publish/dispatch.ts'
export type { EventQueue, QueuedEvent } from './lib/publish/event-queue.ts'
export type { WebhookEvent } from './lib/publish/event.ts'
export { messageFor } from './lib/publish/publish.ts'
export type {
  DryRunOption,
  ReplayIds,
  ReplayInput,
  ReplayMatching,
  ReplayMissed,
  ReplaySelection,
  ReplaySettled,
} from './lib/replays/replay-input.ts'
export type { ReplayJob, ReplayPlan, ReplayReason, ReplaySkipped, ReplayState } from './lib/replays/replay-job.ts'
export type {
  EraseEndpoint,
  EraseEvent,
  EraseRange,
  EraseWorkspace,
  ErasureDryRun,
  ErasureInput,
} from './lib/erasures/erasure-input.ts'
export type { Erasure, ErasurePlan } from './lib/erasures/erasure-job.ts'
export type { Erasing, ErasureListOptions, ErasureStore } from './lib/erasures/erasure-store.ts'
export type { StepErasuresOptions, StepErasuresResult } from './lib/erasures/step-erasures.ts'
export type { CreateReplayOptions } from './lib/replays/create-replay.ts'
export type { ReplayListOptions, ReplayStore } from './lib/replays/replay-store.ts'
export type { StepReplaysOptions, StepReplaysResult } from './lib/replays/step-replays.ts'
export type { RawBody } from './lib/publish/raw-body.ts'
export type { Scope } from './lib/scopes.ts'
export { DEFAULT_SCOPES, OPERATOR_SCOPES, SCOPES } from './lib/scopes.ts'
export type { RingKey } from './lib/secrets/key-ring.ts'
export { createKeyRing } from './lib/secrets/key-ring.ts'
export type { ReencryptOptions, ReencryptResult } from './lib/secrets/reencrypt.ts'
export { reencryptSecrets } from './lib/secrets/reencrypt.ts'
export type { SecretContext, SecretEncryption } from './lib/secrets/secret-encryption.ts'
export type { Secrets } from './lib/secrets/secret-store.ts'
export type { SendErrorClass, SendRequest, SendResult, SendTiming, Sender } from './lib/sender.ts'
export type { CompatFormat, CompatSignature } from './lib/signing/compat-signature.ts'
export { createWebCryptoSigner, newSecret } from './lib/signing/sign.ts'
export type { SignatureScheme, Signer, SigningKey } from './lib/signing/signer.ts'
export type { LastError } from './lib/statistics/last-errors.ts'
export type { Span } from './lib/statistics/spans.ts'
export type {
  EndpointStatistics,
  StatisticsBucket,
  StatisticsSeries,
  StatisticsSeriesOptions,
  StatisticsStore,
  StatisticsSummary,
  StatisticsSummaryOptions,
} from './lib/statistics/statistics-api.ts'
export type { StatisticsRange } from './lib/statistics/statistics-range.ts'
export type { StatisticsCounts } from './lib/statistics/sums.ts'
export type { Percentiles } from './lib/statistics/total.ts'
export type { UrlCheck, UrlPolicy, UrlRefusal } from './lib/url-policy/check-url.ts'
export type { WorkspaceScope } from './lib/workspace-id.ts'
export type { WorkspaceList, WorkspaceListOptions, WorkspaceSummary } from './lib/workspaces/workspace-list.ts'
export { allWorkspaces } from './lib/workspace-id.ts'
export { newEventId } from '@keepsend/outbox'
