import type { TakenEvent } from '@keepsend/outbox'
import { type GetAttemptCredentials, NO_CREDENTIALS } from './attempt-credentials.ts'
import { attemptHeaders } from './attempt-headers.ts'
import { attemptFacts } from './attempt.ts'
import type { CatalogVersions } from '../catalog/catalog-versions.ts'
import { type DeliveryError, ENDPOINT_GONE } from '../error-classes.ts'
import { EngineError } from '../errors.ts'
import { expiredAt } from './expiry.ts'
import { recordResponse, recordedUrl } from '../history/attempt-record.ts'
import type { HistoryOptions } from '../history/history-options.ts'
import { type Logger, errorFields } from '../logger.ts'
import { matchesOwnFilter } from '../filters/evaluate.ts'
import type { Permit, Permits } from '../backlog/rate-limit.ts'
import { createRequestRedactor } from './request-secrets.ts'
import { MAX_RESPONSE_BYTES, type Sender } from '../sender.ts'
import type { Signer } from '../signing/signer.ts'
import type { EndpointCache, EndpointSnapshot } from '../endpoints/endpoint-cache.ts'
import { type ResponseContext, classifyResponse, isSuccess, pushbackOf, rescheduleOrFail } from './classify-response.ts'
import type { AttemptFacts, AttemptRecord, DeliveryOutcome, HoldReason } from '../outcome.ts'
import { inVersion } from './in-version.ts'
import { CONVERSION_FAILED, LOOKUP_FAILED, SECRET_UNREADABLE, deferred, unsentOrFailed } from './unsent.ts'

export interface DeliverDeps {
  endpointCache: EndpointCache
  permits: Permits
  credentials: GetAttemptCredentials
  /** Converts payloads that the publisher did not. */
  versions: Pick<CatalogVersions, 'convert'> | undefined
  /** How long a failure counts for the circuit breaker, in ms. */
  windowMs: number
  monotonic: () => number
  sender: Sender | undefined
  sign: Signer
  /** For endpoints without a schedule of their own. */
  retrySchedule: readonly number[]
  /** A delivery older than this gets no attempt, in ms. */
  maxAgeMs: number
  deadlineMs: number
  maxDeadlineMs: number
  maxPauseMs: number
  userAgent: string
  history: HistoryOptions | undefined
  random: () => number
  logger: Logger
}

interface DeliverOptions {
  /** The database's time, ms since the epoch: it dates the signature and decides which secrets have expired. */
  now: number
  /** Whether the row has waited for its slot time under a rate limit. */
  admitted?: boolean | undefined
  /** Whether it is a test, which is sent whatever the state of the endpoint, and says so in a header. */
  isTest?: boolean | undefined
}

/**
 * Makes one attempt of one delivery and returns its outcome. A fault of the receiver, a hostile URL or a payload that breaks
 * something is an outcome, never an exception, so one row cannot stop the others of its batch.
 *
 * @throws {EngineError} `invalid_option` if the engine has no sender
 */
export async function deliverEvent(
  deps: DeliverDeps,
  taken: TakenEvent,
  { now, admitted = false, isTest = false }: DeliverOptions,
): Promise<DeliveryOutcome> {
  const { random, retrySchedule, maxPauseMs, maxAgeMs } = deps
  if (!deps.sender) throw new EngineError('invalid_option', NO_SENDER)
  const expired = expiredAt(taken, now, maxAgeMs)
  if (expired) return { kind: 'fail', error: expired }
  const converted = inVersion(deps, taken)
  const event = converted ?? taken
  let context: ResponseContext = {
    event,
    endpoint: { id: event.endpointId, version: 0, retrySchedule, retryStatuses: [] },
    now,
    maxPauseMs,
    random,
  }
  if (!converted) return unsentOrFailed(event, context, CONVERSION_FAILED)
  const record: AttemptRecord | undefined = deps.history && { startedAt: now, tookMs: 0, url: '' }
  try {
    const endpoint = await readEndpoint(deps, event.endpointId)
    if (endpoint === 'unreadable') return deferred(event, LOOKUP_FAILED, random)
    if (!endpoint) return { kind: 'fail', error: ENDPOINT_GONE }
    const facts = attemptFacts(endpoint, { deliveryId: event.id, at: now, windowMs: deps.windowMs })
    if (!matchesOwnFilter(event)) return { kind: 'filtered', attempt: facts }
    const reason = isTest ? undefined : holdReasonOf(endpoint, facts)
    if (reason) return { kind: 'hold', reason }
    const { id, version, retryStatuses } = endpoint
    const policy = { id, version, retrySchedule: endpoint.retrySchedule ?? retrySchedule, retryStatuses }
    context = { event, endpoint: policy, now, maxPauseMs, random }
    if (!endpoint.check.ok) {
      const refused = rescheduleOrFail(context, `${endpoint.check.reason}: ${endpoint.check.message}`)
      return { ...refused, attempt: facts, record }
    }
    const permit: Permit | 'unreadable' = admitted ? { kind: 'granted', waitMs: 0 } : await takePermit(deps, endpoint)
    if (permit === 'unreadable') return deferred(event, LOOKUP_FAILED, random)
    if (permit.kind === 'refused') return { kind: 'hold', reason: 'rate_limited', resumeInMs: permit.nextMs }
    const at = now + permit.waitMs
    const deadlineMs = Math.min(endpoint.deadlineMs ?? deps.deadlineMs, deps.maxDeadlineMs)
    const { url } = endpoint.check
    if (record) Object.assign(record, { startedAt: at, url: recordedUrl(url) })
    const credentials =
      endpoint.auth || endpoint.tls
        ? await deps.credentials(endpoint, { sender: deps.sender, url, at, deadlineMs }).catch(unreadable(deps, event))
        : NO_CREDENTIALS
    if (credentials?.kind === 'failed') {
      facts.tookMs = credentials.tookMs
      facts.timedOut = credentials.timedOut
      if (credentials.timedOut) facts.pushback = 'slow'
      if (record) record.tookMs = credentials.tookMs
      const failed = rescheduleOrFail(context, credentials.error, undefined, credentials.retryAfterMs)
      return { ...failed, attempt: facts, record }
    }
    const headers =
      credentials &&
      (await attemptHeaders(deps, event, { endpoint, credentials, at, isTest }).catch(unreadable(deps, event)))
    if (!credentials || !headers) {
      const unsent = unsentOrFailed(event, context, SECRET_UNREADABLE)
      return unsent.kind === 'reschedule' && unsent.deferral ? unsent : { ...unsent, record }
    }
    const beganAt = deps.monotonic()
    const { tls, tookMs } = credentials
    const result = await deps.sender.send({
      url: url.href,
      headers,
      body: event.payload,
      deadlineMs: Math.max(1, Math.ceil(deadlineMs - tookMs)),
      maxResponseBytes: MAX_RESPONSE_BYTES,
      ...(tls && { tls }),
    })
    // A token may have been revoked: the 401 discards it and is retried with a new one.
    if (credentials.refused && result.kind === 'response' && result.status === UNAUTHORIZED) {
      credentials.refused()
      context.endpoint = { ...policy, retryStatuses: [...retryStatuses, UNAUTHORIZED] }
    }
    // A receiver may echo the request in its error page. No other answer is shown or recorded, unless all are.
    if (result.kind === 'response' && (!isSuccess(result.status) || deps.history?.responses === 'all')) {
      const own = Object.values({ ...(await endpoint.headers), ...credentials.headers })
      context.redact = createRequestRedactor({ url, headers, own, compatHeader: endpoint.compatHeader })
    }
    const outcome = classifyResponse(result, context)
    facts.tookMs = tookMs + deps.monotonic() - beganAt
    facts.timedOut = result.kind === 'error' && result.reason === 'timeout'
    facts.pushback = pushbackOf(result, outcome)
    if (record && deps.history)
      Object.assign(record, { tookMs: facts.tookMs, response: recordResponse(result, deps.history, context.redact) })
    return Object.assign(outcome, { attempt: facts, record })
  } catch (error) {
    deps.logger.error({ deliveryId: event.id, ...errorFields(error) }, UNEXPECTED)
    return { ...rescheduleOrFail(context, INTERNAL_ERROR), record }
  }
}

/** Why the endpoint takes no attempt now. */
function holdReasonOf(
  { enabled, paused }: EndpointSnapshot,
  { circuitOpen, probe }: AttemptFacts,
): HoldReason | undefined {
  if (!enabled) return 'endpoint_disabled'
  if (paused) return 'endpoint_paused'
  return circuitOpen && !probe ? 'circuit_open' : undefined
}

/** The endpoint, undefined if it was deleted, or `unreadable` if the database failed, which is no fault of the receiver. */
async function readEndpoint(
  { endpointCache, logger }: DeliverDeps,
  endpointId: string,
): Promise<EndpointSnapshot | undefined | 'unreadable'> {
  try {
    return await endpointCache.get(endpointId)
  } catch (error) {
    // The row itself is damaged: reading it again would fail again.
    if (error instanceof EngineError) throw error
    logger.error({ endpointId, ...errorFields(error) }, 'failed to read an endpoint; nothing was sent, retrying in 5 s')
    return 'unreadable'
  }
}

const UNAUTHORIZED = 401
const NO_SENDER = 'this engine has no sender and cannot deliver: pass a sender to createEngine'

/** The log line of an error that no attempt should raise; the outcome is {@link INTERNAL_ERROR}. */
export const UNEXPECTED = 'delivery attempt failed unexpectedly; it counts as a failed attempt'

/** The error that the delivery shows to its customer then. The cause is for the operator, in the log. */
export const INTERNAL_ERROR: DeliveryError = 'internal_error: the sender failed unexpectedly; its log has the cause'

/** Handles `secret_unreadable`, which the operator must fix and which is no fault of the receiver; throws any other error. */
function unreadable({ logger }: DeliverDeps, { id, endpointId }: TakenEvent): (error: unknown) => undefined {
  return (error) => {
    if (!(error instanceof EngineError && error.code === 'secret_unreadable')) throw error
    logger.error(
      { deliveryId: id, endpointId, ...errorFields(error) },
      'failed to read a secret; nothing was sent, retrying later',
    )
    return undefined
  }
}

/** Takes a permit under a rate limit and waits for its slot time, at most 250 ms. `unreadable`: the database failed. */
async function takePermit(
  { permits, logger }: DeliverDeps,
  { id, rateLimit }: EndpointSnapshot,
): Promise<Permit | 'unreadable'> {
  if (rateLimit === null) return { kind: 'granted', waitMs: 0 }
  const permit = await permits.take(id).catch((error: unknown) => {
    const fields = { endpointId: id, ...errorFields(error) }
    logger.error(fields, 'failed to take a rate limit permit; nothing was sent, retrying in 5 s')
    return 'unreadable' as const
  })
  if (permit === 'unreadable') return permit
  if (permit.kind === 'granted' && permit.waitMs > 0) {
    await new Promise((resolve) => setTimeout(resolve, permit.waitMs))
  }
  return permit
}
