import type { TakenEvent } from '@keepsend/outbox'
import { EXPIRED } from '@keepsend/outbox/internal'
import { type AttemptCredentials, type GetAttemptCredentials, NO_CREDENTIALS } from './attempt-credentials.ts'
import { attemptFacts } from './attempt.ts'
import { type DeliveryError, ENDPOINT_GONE } from '../error-classes.ts'
import { EngineError } from '../errors.ts'
import { type Logger, errorFields } from '../logger.ts'
import type { Permit, Permits } from '../backlog/rate-limit.ts'
import { MAX_RESPONSE_BYTES, type Sender } from '../sender.ts'
import { signAttempt } from './sign-attempt.ts'
import type { Signer } from '../signing/signer.ts'
import type { EndpointCache, EndpointSnapshot } from '../endpoints/endpoint-cache.ts'
import { jittered } from '../retry-schedule.ts'
import {
  MAX_FREE_DEFERRALS,
  type ResponseContext,
  classifyResponse,
  pushbackOf,
  rescheduleOrFail,
} from './classify-response.ts'
import type { DeliveryOutcome } from '../outcome.ts'

export interface DeliverDeps {
  targets: EndpointCache
  permits: Permits
  access: GetAttemptCredentials
  /** How long the failures of an endpoint count. */
  windowMs: number
  monotonic: () => number
  sender: Sender | undefined
  sign: Signer
  /** For endpoints that have none of their own. */
  retrySchedule: readonly number[]
  /** A delivery older than this gets no attempt. */
  maxAgeMs: number
  deadlineMs: number
  maxDeadlineMs: number
  maxPauseMs: number
  userAgent: string
  random: () => number
  logger: Logger
}

/**
 * Makes one attempt of one delivery and says what it means. A receiver's fault, a hostile URL or a payload that
 * breaks something are outcomes: this never throws for them, so one row cannot stop its neighbours.
 *
 * @param now the database's time, ms since the epoch: it dates the signature and ends old secrets
 * @param admitted its slot time under a rate limit has come
 */
export async function deliverEvent(
  deps: DeliverDeps,
  event: TakenEvent,
  now: number,
  admitted = false,
): Promise<DeliveryOutcome> {
  const { random, retrySchedule, maxPauseMs, maxAgeMs } = deps
  if (!deps.sender)
    throw new EngineError('invalid_option', 'this engine has no sender: give createEngine one to deliver')
  if (now - (event.replayedAt ?? event.createdAt) > maxAgeMs) {
    return { kind: 'fail', error: `${EXPIRED}: older than the ${maxAgeMs} ms that a delivery has` }
  }
  let context: ResponseContext = {
    event,
    endpoint: { id: event.endpointId, version: 0, retrySchedule, retryStatuses: [] },
    now,
    maxPauseMs,
    random,
  }
  try {
    const target = await readTarget(deps, event.endpointId)
    if (target === 'unread') return deferred(event, UNREAD, random)
    if (!target) return { kind: 'fail', error: ENDPOINT_GONE }
    if (!target.enabled) return { kind: 'hold', reason: 'endpoint_disabled' }
    if (target.paused) return { kind: 'hold', reason: 'endpoint_paused' }
    const facts = attemptFacts(target, { deliveryId: event.id, at: now, windowMs: deps.windowMs })
    if (facts.circuitOpen && !facts.probe) return { kind: 'hold', reason: 'circuit_open' }
    const { id, version, retryStatuses } = target
    const endpoint = { id, version, retrySchedule: target.retrySchedule ?? retrySchedule, retryStatuses }
    context = { event, endpoint, now, maxPauseMs, random }
    if (!target.check.ok) {
      const refused = rescheduleOrFail(context, `${target.check.reason}: ${target.check.message}`)
      return { ...refused, attempt: facts }
    }
    const permit: Permit | 'unread' = admitted ? { kind: 'granted', waitMs: 0 } : await takePermit(deps, target)
    if (permit === 'unread') return deferred(event, UNREAD, random)
    if (permit.kind === 'refused') return { kind: 'hold', reason: 'rate_limited', resumeInMs: permit.nextMs }
    const at = now + permit.waitMs
    const deadlineMs = Math.min(target.deadlineMs ?? deps.deadlineMs, deps.maxDeadlineMs)
    const { url } = target.check
    const access =
      target.auth || target.tls
        ? await deps.access(target, { sender: deps.sender, url, at, deadlineMs }).catch(unsigned(deps, event))
        : NO_CREDENTIALS
    if (access?.kind === 'failed') {
      facts.tookMs = access.tookMs
      facts.timedOut = access.timedOut
      if (access.timedOut) facts.pushback = 'slow'
      return { ...rescheduleOrFail(context, access.error, undefined, access.retryAfterMs), attempt: facts }
    }
    const headers = access && (await headersOf(deps, event, target, access, at).catch(unsigned(deps, event)))
    if (!access || !headers) {
      const unsent = deferred(event, UNSIGNED, random)
      return unsent.deferral ? unsent : rescheduleOrFail(context, UNSIGNED.error)
    }
    const beganAt = deps.monotonic()
    const { tls, tookMs } = access
    const result = await deps.sender.send({
      url: url.href,
      headers,
      body: event.payload,
      deadlineMs: Math.max(1, Math.ceil(deadlineMs - tookMs)),
      maxResponseBytes: MAX_RESPONSE_BYTES,
      ...(tls && { tls }),
    })
    if (access.refused && result.kind === 'response' && result.status === UNAUTHORIZED) {
      access.refused()
      context.endpoint = { ...endpoint, retryStatuses: [...retryStatuses, UNAUTHORIZED] }
    }
    if (result.kind === 'response' && result.status > 299) {
      context.secrets = Object.values({ ...(await target.headers), ...access.headers })
    }
    const outcome = classifyResponse(result, context)
    facts.tookMs = tookMs + deps.monotonic() - beganAt
    facts.timedOut = result.kind === 'error' && result.reason === 'timeout'
    facts.pushback = pushbackOf(result, outcome)
    outcome.attempt = facts
    return outcome
  } catch (error) {
    deps.logger.error(
      { deliveryId: event.id, ...errorFields(error) },
      'an attempt broke before it reached the receiver',
    )
    return rescheduleOrFail(context, INTERNAL_ERROR)
  }
}

/** The endpoint, or `unread` when the database did not say: no fault of the receiver's. */
async function readTarget(
  { targets, logger }: DeliverDeps,
  endpointId: string,
): Promise<EndpointSnapshot | undefined | 'unread'> {
  try {
    return await targets.get(endpointId)
  } catch (error) {
    // Read, and broken: the database answered, and would answer the same again.
    if (error instanceof EngineError) throw error
    logger.error({ endpointId, ...errorFields(error) }, 'an endpoint could not be read; nothing was sent')
    return 'unread'
  }
}

const UNAUTHORIZED = 401

/** What a delivery shows of a fault that is not its receiver's. Its cause is the operator's to read, in the log. */
export const INTERNAL_ERROR: DeliveryError = 'internal_error: a fault of the sender; the log has it'

interface Unsent {
  delayMs: number
  error: DeliveryError
}

const UNREAD: Unsent = { delayMs: 5000, error: 'endpoint_lookup_failed: the database did not answer' }
const UNSIGNED: Unsent = {
  delayMs: 60_000,
  error: 'secret_unreadable: a secret of its endpoint could not be read; nothing was sent',
}

/** Nothing was sent, so nothing is charged, the first times. */
function deferred(
  { deferrals }: TakenEvent,
  { delayMs, error }: Unsent,
  random: () => number,
): DeliveryOutcome & { kind: 'reschedule' } {
  return { kind: 'reschedule', deferral: deferrals < MAX_FREE_DEFERRALS, delayMs: jittered(delayMs, random), error }
}

/** Secrets of one endpoint that cannot be read are an operator's to mend, and no fault of the receiver's. */
function unsigned({ logger }: DeliverDeps, { id, endpointId }: TakenEvent): (error: unknown) => undefined {
  return (error) => {
    if (!(error instanceof EngineError && error.code === 'secret_unreadable')) throw error
    logger.error({ deliveryId: id, endpointId, ...errorFields(error) }, 'a secret could not be read; nothing was sent')
    return undefined
  }
}

/** Under a rate limit: waits for its slot time, unless that is out of sight. `unread`: the database did not say. */
async function takePermit(
  { permits, logger }: DeliverDeps,
  { id, rateLimit }: EndpointSnapshot,
): Promise<Permit | 'unread'> {
  if (rateLimit === null) return { kind: 'granted', waitMs: 0 }
  const permit = await permits.take(id).catch((error: unknown) => {
    logger.error({ endpointId: id, ...errorFields(error) }, 'a permit could not be taken; nothing was sent')
    return 'unread' as const
  })
  if (permit === 'unread') return permit
  if (permit.kind === 'granted' && permit.waitMs > 0) {
    await new Promise((resolve) => setTimeout(resolve, permit.waitMs))
  }
  return permit
}

/** @throws {EngineError} `secret_unreadable` */
async function headersOf(
  { sign, userAgent }: DeliverDeps,
  event: TakenEvent,
  target: EndpointSnapshot,
  access: AttemptCredentials,
  at: number,
): Promise<Record<string, string>> {
  const signature = await signAttempt(sign, event, target, at + access.tookMs)
  const { eventTypeHeader } = target
  const own = target.headers instanceof Promise ? await target.headers : target.headers
  const contentType = event.contentType ?? 'application/json'
  // Ours last: whatever else an endpoint may set, it cannot set these. Some firewalls refuse what accepts nothing.
  const headers = {
    accept: '*/*',
    ...own,
    'content-type': contentType,
    'user-agent': userAgent,
    ...signature,
    ...access.headers,
  }
  return eventTypeHeader === null ? headers : { ...headers, [eventTypeHeader]: event.type }
}
