export type { Admission } from './lib/admit.ts'
export {
  type ApiKey,
  type ApiKeyOptions,
  type ApiKeys,
  type Authenticate,
  type Principal,
  SCOPES,
  type Scope,
} from './lib/api-key.ts'
export { isAddress, isAllowedAddress, isWithin, judgeAddress, parseCidr } from './lib/address.ts'
export type { AttemptFacts } from './lib/attempt.ts'
export {
  type CheckUrl,
  type UrlCheck,
  type UrlPolicy,
  type UrlRefusal,
  createCheckUrl,
  deniedRanges,
} from './lib/check-url.ts'
export type { CircuitOptions } from './lib/circuit.ts'
export type { CompatFormat, CompatSignature } from './lib/compat-signature.ts'
export type { Delivery, DeliveryReads, EventDeliveries, ReplayOf, ReplayOfOptions } from './lib/deliveries.ts'
export type { DeliveryFilter, DeliveryLists, DeliveryState, EventSummary, Page } from './lib/delivery-list.ts'
export type { HoldReason } from './lib/hold-reason.ts'
export { DEFAULT_SECRET_OVERLAP_MS, type EndpointSecret, type RotateOptions } from './lib/endpoint-secrets.ts'
export type { ChangeOptions } from './lib/endpoint-change.ts'
export type { EndpointStore } from './lib/endpoint-store-api.ts'
export type { BasicAuth, BearerAuth, EndpointAuth, OAuth2Auth, ShownAuth } from './lib/endpoint-auth.ts'
export type { EndpointTls, ShownTls } from './lib/endpoint-tls.ts'
export type { Endpoint, EndpointInput } from './lib/endpoint.ts'
export type { CommitOptions, Committed } from './lib/commit.ts'
export { createEngine } from './lib/engine.ts'
export type { Engine, Sent } from './lib/engine-api.ts'
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
export type { EventQueue, QueuedEvent } from './lib/event-queue.ts'
export { MAX_EVENT_BYTES, type PreparedEvent, type WebhookEvent, prepareEvent } from './lib/event.ts'
export { type BackgroundOption, type EngineCounters, keepQueuedEvent } from './lib/hand-off.ts'
export { type CommitWithEventsOptions, commitWithEvents, keepsend, recallAnswer, sendWebhookEvent } from './lib/hono.ts'
export { IDEMPOTENCY_RETENTION_MS, type IdempotencyKey } from './lib/idempotency.ts'
export { type RingKey, createKeyRing } from './lib/key-ring.ts'
export type { Limits } from './lib/limits.ts'
export { consoleLogger } from './lib/console-logger.ts'
export { type Logger, carefulLogger, errorFields, silentLogger } from './lib/logger.ts'
export type { Upkeep } from './lib/maintain.ts'
export { engineMigrations, migrate } from './lib/migrations.ts'
export { type Problem, problemResponse } from './lib/problem.ts'
export type { RawBody } from './lib/raw-body.ts'
export type { PublishTarget } from './lib/fan-out.ts'
export { messageFor } from './lib/publish.ts'
export type { OperationalType } from './lib/operational.ts'
export { ENGINE_OPTION_NAMES } from './lib/options.ts'
export type { EngineOptions } from './lib/options.ts'
export type { PauseOptions } from './lib/pause.ts'
export { type ReencryptOptions, type Reencrypted, reencryptSecrets } from './lib/reencrypt.ts'
export type { EngineRoutes } from './lib/routes/route.ts'
export { DEFAULT_RETRY_SCHEDULE, MAX_DELAY_MS, parseRetryAfter, retryDelayMs } from './lib/schedule.ts'
export type { SecretContext, SecretKeeper } from './lib/secret-keeper.ts'
export type { Secrets } from './lib/secret-store.ts'
export {
  DEFAULT_DEADLINE_MS,
  MAX_RESPONSE_BYTES,
  type SendErrorClass,
  type SendRequest,
  type SendResult,
  type Sender,
} from './lib/sender.ts'
export type { FinishedDelivery, SettleNext } from './lib/settle-deliveries.ts'
export { type SettledDelivery, type SettledEach, logExhausted } from './lib/settle-each.ts'
export {
  type SignatureScheme,
  type Signer,
  type SigningKey,
  createWebCryptoSigner,
  newSecret,
  secretKey,
  signatureHeaders,
  signingKey,
} from './lib/sign.ts'
export { type DeliveryOutcome, UNCHARGED_DEFERRALS, attemptNumber, judge } from './lib/verdict.ts'
export type { LetOutRow, WakeOptions, Woken } from './lib/wake.ts'
export { newEventId } from '@keepsend/outbox'
