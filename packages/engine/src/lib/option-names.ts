import { OR, type OptionNames } from '@keepsend/outbox'
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
  allowHttp: 'boolean',
  allowHosts: 'texts',
  allowCidrs: 'texts',
  denyHosts: 'texts',
  allowPorts: 'any',
} satisfies OptionNames<UrlPolicy>

const background = { background: 'function' } satisfies OptionNames<BackgroundOption>

const circuit = {
  failureRate: 'number',
  minAttempts: 'number',
  windowMs: 'number',
  failuresInRow: 'number',
  timeoutsInRow: 'number',
  openMs: 'number',
  disableAfterMs: 'number',
} satisfies OptionNames<CircuitOptions>

const limits = {
  endpointsPerWorkspace: 'number',
  subscriptionsPerEndpoint: 'number',
  deliveriesPerPublish: 'number',
  waitingPerWorkspace: 'number',
  requestsPerSecond: 'number',
  idempotencyRecordsPerWorkspace: 'number',
} satisfies OptionNames<Limits>

/** Every option of {@link EngineOptions} by its name, for adapters that take them and refuse what is none of them. */
export const ENGINE_OPTION_NAMES = {
  db: 'object',
  queue: 'object',
  sender: 'object',
  secrets: 'any',
  signer: 'function',
  urlPolicy,
  authenticate: 'function',
  publicUrl: 'text',
  retrySchedule: 'numbers',
  deadlineMs: 'number',
  maxDeadlineMs: 'number',
  maxPauseMs: 'number',
  keepCompleted: 'boolean',
  maxAgeMs: 'number',
  retentionMs: 'number',
  failedRetentionMs: 'number',
  idempotencyRetentionMs: 'number',
  limits,
  circuit,
  operatorWorkspaceId: 'text',
  logger: 'object',
  userAgent: 'text',
  random: 'function',
  monotonic: 'function',
} as const satisfies OptionNames<EngineOptions>

/** What an endpoint is made from. Refused as `invalid_endpoint`, because it often comes from a request. */
export const ENDPOINT_NAMES = {
  url: 'text',
  description: 'text',
  eventTypes: 'texts',
  channels: 'texts',
  retrySchedule: 'numbers or null',
  deadlineMs: 'number or null',
  headers: 'object',
  retryStatuses: 'numbers',
  signatures: 'texts',
  compatSignature: {
    [OR]: 'null' as const,
    ...({ header: 'text', format: 'text', secret: 'text' } as const satisfies OptionNames<CompatSignature>),
  },
  eventTypeHeader: 'text or null',
  concurrency: 'number or null',
  rateLimit: 'number or null',
  ratePeriod: 'text',
  // Each form has names of its own: see checkAuth and checkTls.
  auth: 'object or null',
  tls: 'object or null',
  secret: 'text',
} satisfies OptionNames<EndpointInput>

/** What an event is made from. Refused as `invalid_event`: with a misspelt `channels` it would reach too many endpoints. */
export const EVENT_NAMES = {
  type: 'text',
  workspaceId: 'text',
  data: 'any',
  raw: 'any',
  channels: 'texts',
  id: 'text',
  timestamp: 'any',
} satisfies OptionNames<WebhookEvent>

const listOptions = { limit: 'number', after: 'text' } satisfies OptionNames<Parameters<EndpointStore['list']>[1]>
const pageOptions = { limit: 'number', before: 'text' } satisfies OptionNames<
  Parameters<DeliveryLists['listEvents']>[1]
>

/**
 * Every option of the engine's functions, by the function. The compiler keeps each list whole, the functions refuse what
 * is not in it, and the test "every option given as undefined is its default" goes through it.
 */
export const OPTION_NAMES = {
  createEngine: ENGINE_OPTION_NAMES,
  createCheckUrl: urlPolicy,
  createWebCryptoSigner: { maxKeys: 'number' } satisfies OptionNames<Parameters<typeof createWebCryptoSigner>[0]>,
  reencryptSecrets: {
    db: 'object',
    secrets: 'any',
    limit: 'number',
    after: 'text',
    logger: 'object',
  } satisfies OptionNames<ReencryptOptions>,
  commitWithEvents: {
    writes: 'list',
    events: 'list',
    response: 'object',
    workspaceId: 'text',
  } satisfies OptionNames<CommitWithEventsOptions>,
  'engine.commit': {
    writes: 'list',
    events: 'list',
    response: 'object',
    idempotencyKey: 'any',
    background: 'function',
  } satisfies OptionNames<CommitOptions>,
  'engine.settle': { claim: 'any' } satisfies OptionNames<SettleNext>,
  'engine.sendTest': background,
  'engine.wake': {
    limit: 'number',
    batch: 'number',
    everyMs: 'number',
    graceMs: 'number',
  } satisfies OptionNames<WakeOptions>,
  'apiKeys.create': {
    workspaceId: 'text',
    name: 'text',
    scopes: 'texts',
    expiresInMs: 'number',
  } satisfies OptionNames<ApiKeyOptions>,
  'apiKeys.list': { limit: 'number', after: 'text' } satisfies OptionNames<Parameters<ApiKeys['list']>[1]>,
  'apiKeys.rotate': { overlapMs: 'number' } satisfies OptionNames<Parameters<ApiKeys['rotate']>[2]>,
  'an event': EVENT_NAMES,
  'an endpoint': ENDPOINT_NAMES,
  'endpoints.list': listOptions,
  'endpoints.update': { ifVersion: 'number' } satisfies OptionNames<ChangeOptions>,
  'endpoints.delete': { ifVersion: 'number' } satisfies OptionNames<ChangeOptions>,
  'endpoints.setStatus': background,
  'endpoints.resume': background,
  'endpoints.pause': { forMs: 'number' } satisfies OptionNames<PauseOptions>,
  'endpoints.rotateSecret': { overlapMs: 'number', scheme: 'text' } satisfies OptionNames<RotateOptions>,
  'deliveries.list': {
    ...pageOptions,
    status: 'text',
    endpointId: 'text',
    type: 'text',
    eventId: 'text',
  } satisfies OptionNames<DeliveryFilter>,
  'deliveries.listEvents': pageOptions,
  'the filter of deliveries.replayOf': {
    endpointId: 'text',
    status: 'text',
    settledAfter: 'number',
    settledBefore: 'number',
  } satisfies OptionNames<ReplayOf>,
  'deliveries.replayOf': { limit: 'number', ...background } satisfies OptionNames<
    Parameters<DeliveryReads['replayOf']>[2]
  >,
}

/** @throws {EngineError} `invalid_option` for an option that the function does not have */
export function checkOptions(owner: keyof typeof OPTION_NAMES, options: object): void {
  checkNames(owner, OPTION_NAMES[owner], options)
}
