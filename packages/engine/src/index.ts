export type { Admission } from './lib/delivery/admission.ts'
export {
  type ApiKey,
  type ApiKeyOptions,
  type ApiKeys,
  type Authenticate,
  type Principal,
  SCOPES,
  type Scope,
} from './lib/access/api-key.ts'
export {
  isAddress,
  isLoopbackAddress,
  isPublicAddress,
  isWithin,
  classifyAddress,
  parseCidr,
} from './lib/url-policy/address.ts'
export type { AttemptFacts } from './lib/delivery/attempt.ts'
export {
  type CheckUrl,
  type CheckUrlOptions,
  type UrlCheck,
  type UrlPolicy,
  type UrlRefusal,
  createCheckUrl,
  deniedRanges,
} from './lib/url-policy/check-url.ts'
export type { CircuitOptions } from './lib/health/circuit-breaker.ts'
export type { CompatFormat, CompatSignature } from './lib/signing/compat-signature.ts'
export type {
  Delivery,
  DeliveryStore,
  EventDeliveries,
  ReplayEndpointFilter,
  ReplayEndpointOptions,
} from './lib/deliveries/delivery-store.ts'
export type {
  DeliveryFilter,
  DeliveryLists,
  DeliveryState,
  EventSummary,
  Page,
} from './lib/deliveries/delivery-list.ts'
export type { HoldReason } from './lib/backlog/hold-reason.ts'
export { DEFAULT_SECRET_OVERLAP_MS, type EndpointSecret, type RotateOptions } from './lib/endpoints/endpoint-secrets.ts'
export type { ChangeOptions } from './lib/endpoints/endpoint-change.ts'
export type { EndpointStore } from './lib/endpoints/endpoint-store-api.ts'
export type { BasicAuth, BearerAuth, EndpointAuth, OAuth2Auth, ShownAuth } from './lib/endpoints/endpoint-auth.ts'
export type { EndpointTls, ShownTls } from './lib/endpoints/endpoint-tls.ts'
export type { Endpoint, EndpointInput } from './lib/endpoints/endpoint.ts'
export type { CommitOptions, CommitResult } from './lib/publish/commit.ts'
export { createEngine } from './lib/engine.ts'
export type { Engine, PublishResult } from './lib/engine-api.ts'
export type { EngineWorker } from './lib/engine-worker.ts'
export {
  type DeliveryError,
  ERROR_CLASSES,
  type ErrorClass,
  type ErrorExplanation,
  HTTP_EXPLANATIONS,
  classOf,
  explanationOf,
} from './lib/error-classes.ts'
export { EngineError, type EngineErrorCode } from './lib/errors.ts'
export type { EventQueue, QueuedEvent } from './lib/publish/event-queue.ts'
export { MAX_EVENT_BYTES, type PreparedEvent, type WebhookEvent, prepareEvent } from './lib/publish/event.ts'
export { type BackgroundOption, type EngineCounters, insertQueuedEvent } from './lib/publish/dispatch.ts'
export {
  type CommitWithEventsOptions,
  commitWithEvents,
  keepsend,
  replayIdempotentResponse,
  publishEvent,
} from './lib/hono.ts'
export { IDEMPOTENCY_RETENTION_MS, type IdempotencyKey } from './lib/idempotency/idempotency.ts'
export { type RingKey, createKeyRing } from './lib/secrets/key-ring.ts'
export type { Limits } from './lib/limits.ts'
export { consoleLogger } from './lib/console-logger.ts'
export { type Logger, redactingLogger, errorFields, silentLogger } from './lib/logger.ts'
export type { MaintenanceResult } from './lib/maintenance.ts'
export { engineMigrations, migrateEngine } from './lib/migrations.ts'
export { type Problem, problemResponse } from './lib/api/problem.ts'
export type { RawBody } from './lib/publish/raw-body.ts'
export type { PublishTarget } from './lib/publish/fan-out.ts'
export { messageFor } from './lib/publish/publish.ts'
export type { OperationalType } from './lib/health/operational-webhooks.ts'
export { ENGINE_OPTION_NAMES } from './lib/options.ts'
export type { EngineOptions } from './lib/options.ts'
export type { PauseOptions } from './lib/backlog/pause.ts'
export { type ReencryptOptions, type ReencryptResult, reencryptSecrets } from './lib/secrets/reencrypt.ts'
export type { EngineRoutes } from './lib/api/route.ts'
export { DEFAULT_RETRY_SCHEDULE, MAX_DELAY_MS, parseRetryAfter, retryDelayMs } from './lib/retry-schedule.ts'
export type { SecretContext, SecretEncryption } from './lib/secrets/secret-encryption.ts'
export type { Secrets } from './lib/secrets/secret-store.ts'
export {
  DEFAULT_DEADLINE_MS,
  MAX_RESPONSE_BYTES,
  type SendErrorClass,
  type SendRequest,
  type SendResult,
  type Sender,
} from './lib/delivery/sender.ts'
export type { FinishedDelivery, SettleNext } from './lib/delivery/settle-deliveries.ts'
export { type SettledDelivery, type SettleEachResult, logExhausted } from './lib/delivery/settle-each.ts'
export {
  type SignatureScheme,
  type Signer,
  type SigningKey,
  createWebCryptoSigner,
  newSecret,
  decodeSecret,
  signatureHeaders,
  signingKey,
} from './lib/signing/sign.ts'
export {
  type DeliveryOutcome,
  MAX_FREE_DEFERRALS,
  attemptNumber,
  classifyResponse,
} from './lib/delivery/classify-response.ts'
export type { ResumedDelivery, ResumeHeldOptions, ResumeHeldResult } from './lib/backlog/resume-due.ts'
export { newEventId } from '@keepsend/outbox'
