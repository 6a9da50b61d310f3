import type { OptionNames } from '@keepsend/outbox'
import type { ApiKeyOptions, ApiKeys } from './api-key.ts'
import type { UrlPolicy } from './check-url.ts'
import type { CircuitOptions } from './circuit.ts'
import type { CommitOptions } from './commit.ts'
import type { DeliveryReads, ReplayOf } from './deliveries.ts'
import type { CompatSignature } from './compat-signature.ts'
import type { DeliveryFilter, DeliveryLists } from './delivery-list.ts'
import type { ChangeOptions } from './endpoint-change.ts'
import type { RotateOptions } from './endpoint-secrets.ts'
import type { EndpointStore } from './endpoint-store-api.ts'
import type { EndpointInput } from './endpoint.ts'
import { checkNames } from './errors.ts'
import type { WebhookEvent } from './event.ts'
import type { BackgroundOption } from './hand-off.ts'
import type { CommitWithEventsOptions } from './hono.ts'
import type { Limits } from './limits.ts'
import type { EngineOptions } from './options.ts'
import type { PauseOptions } from './pause.ts'
import type { ReencryptOptions } from './reencrypt.ts'
import type { SettleNext } from './settle-deliveries.ts'
import type { createWebCryptoSigner } from './sign.ts'
import type { WakeOptions } from './wake.ts'

const urlPolicy = {
  allowHttp: true,
  allowHosts: true,
  allowCidrs: true,
  denyHosts: true,
  allowPorts: true,
} satisfies OptionNames<UrlPolicy>

const background = { background: true } satisfies OptionNames<BackgroundOption>

const circuit = {
  failureRate: true,
  minAttempts: true,
  windowMs: true,
  failuresInRow: true,
  timeoutsInRow: true,
  openMs: true,
  disableAfterMs: true,
} satisfies OptionNames<CircuitOptions>

const limits = {
  endpointsPerWorkspace: true,
  subscriptionsPerEndpoint: true,
  deliveriesPerPublish: true,
  waitingPerWorkspace: true,
  requestsPerSecond: true,
  idempotencyRecordsPerWorkspace: true,
} satisfies OptionNames<Limits>

/** Every option of {@link EngineOptions} by its name, for adapters that take them and refuse what is none of them. */
export const ENGINE_OPTION_NAMES = {
  db: true,
  queue: true,
  sender: true,
  secrets: true,
  signer: true,
  urlPolicy,
  authenticate: true,
  publicUrl: true,
  retrySchedule: true,
  deadlineMs: true,
  maxDeadlineMs: true,
  maxPauseMs: true,
  keepCompleted: true,
  maxAgeMs: true,
  retentionMs: true,
  failedRetentionMs: true,
  idempotencyRetentionMs: true,
  limits,
  circuit,
  operatorWorkspaceId: true,
  logger: true,
  userAgent: true,
  random: true,
  monotonic: true,
} as const satisfies OptionNames<EngineOptions>

/** What an endpoint is made from. Refused as `invalid_endpoint`, because it often comes from a request. */
export const ENDPOINT_NAMES = {
  url: true,
  description: true,
  eventTypes: true,
  channels: true,
  retrySchedule: true,
  deadlineMs: true,
  headers: true,
  retryStatuses: true,
  signatures: true,
  compatSignature: { header: true, format: true, secret: true } satisfies OptionNames<CompatSignature>,
  eventTypeHeader: true,
  concurrency: true,
  rateLimit: true,
  ratePeriod: true,
  // Each form has names of its own: see checkAuth and checkTls.
  auth: true,
  tls: true,
  secret: true,
} satisfies OptionNames<EndpointInput>

/** What an event is made from. Refused as `invalid_event`: with a misspelt `channels` it would reach too many endpoints. */
export const EVENT_NAMES = {
  type: true,
  workspaceId: true,
  data: true,
  raw: true,
  channels: true,
  id: true,
  timestamp: true,
} satisfies OptionNames<WebhookEvent>

const listOptions = { limit: true, after: true } satisfies OptionNames<Parameters<EndpointStore['list']>[1]>
const pageOptions = { limit: true, before: true } satisfies OptionNames<Parameters<DeliveryLists['listEvents']>[1]>

/**
 * Every option of the engine's functions, by the function. The compiler keeps each list whole, the functions refuse what
 * is not in it, and the test "every option given as undefined is its default" goes through it.
 */
export const OPTION_NAMES = {
  createEngine: ENGINE_OPTION_NAMES,
  createCheckUrl: urlPolicy,
  createWebCryptoSigner: { maxKeys: true } satisfies OptionNames<Parameters<typeof createWebCryptoSigner>[0]>,
  reencryptSecrets: {
    db: true,
    secrets: true,
    limit: true,
    after: true,
    logger: true,
  } satisfies OptionNames<ReencryptOptions>,
  commitWithEvents: {
    writes: true,
    events: true,
    response: true,
    workspaceId: true,
  } satisfies OptionNames<CommitWithEventsOptions>,
  'engine.commit': {
    writes: true,
    events: true,
    response: true,
    idempotencyKey: true,
    background: true,
  } satisfies OptionNames<CommitOptions>,
  'engine.settle': { claim: true } satisfies OptionNames<SettleNext>,
  'engine.sendTest': background,
  'engine.wake': { limit: true, batch: true, everyMs: true, graceMs: true } satisfies OptionNames<WakeOptions>,
  'apiKeys.create': {
    workspaceId: true,
    name: true,
    scopes: true,
    expiresInMs: true,
  } satisfies OptionNames<ApiKeyOptions>,
  'apiKeys.list': { limit: true, after: true } satisfies OptionNames<Parameters<ApiKeys['list']>[1]>,
  'apiKeys.rotate': { overlapMs: true } satisfies OptionNames<Parameters<ApiKeys['rotate']>[2]>,
  'an event': EVENT_NAMES,
  'an endpoint': ENDPOINT_NAMES,
  'endpoints.list': listOptions,
  'endpoints.update': { ifVersion: true } satisfies OptionNames<ChangeOptions>,
  'endpoints.delete': { ifVersion: true } satisfies OptionNames<ChangeOptions>,
  'endpoints.setStatus': background,
  'endpoints.resume': background,
  'endpoints.pause': { forMs: true } satisfies OptionNames<PauseOptions>,
  'endpoints.rotateSecret': { overlapMs: true, scheme: true } satisfies OptionNames<RotateOptions>,
  'deliveries.list': {
    ...pageOptions,
    status: true,
    endpointId: true,
    type: true,
    eventId: true,
  } satisfies OptionNames<DeliveryFilter>,
  'deliveries.listEvents': pageOptions,
  'the filter of deliveries.replayOf': {
    endpointId: true,
    status: true,
    settledAfter: true,
    settledBefore: true,
  } satisfies OptionNames<ReplayOf>,
  'deliveries.replayOf': { limit: true, ...background } satisfies OptionNames<Parameters<DeliveryReads['replayOf']>[2]>,
}

/** @throws {EngineError} `invalid_option` for an option that the function does not have */
export function checkOptions(owner: keyof typeof OPTION_NAMES, options: object): void {
  checkNames(owner, OPTION_NAMES[owner], options)
}
