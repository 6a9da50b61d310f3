import type { ClaimRef, ClaimResult, EventState, TakenEvent } from '@keepsend/outbox'
import { endpointIdOf } from '@keepsend/outbox/internal'
import { attemptNumber } from './delivery/classify-response.ts'
import { type ErrorClass, classOf } from './error-classes.ts'
import { EngineError } from './errors.ts'
import { type Logger, errorFields } from './logger.ts'
import { type AttemptEnd, attemptEnd } from './history/attempt-end.ts'
import type { DeliveryOutcome, EndpointChange, FinishedDelivery, HoldReason } from './outcome.ts'

/** Names a delivery: never with its payload, a URL or a text of its receiver. */
export interface DeliveryIds {
  deliveryId: string
  endpointId: string
  workspaceId: string
  /** The type of the event. */
  type: string
}

/** The events of an engine, by name. Each is emitted after its commit, except `attempt`. */
export interface LifecycleEvents {
  /** The deliveries of an event were committed. */
  published: { eventId: string; workspaceId: string; type: string; deliveries: number }
  /** A worker took a delivery under a lease. `attempt` is the number of the attempt that follows. */
  claimed: DeliveryIds & { attempt: number }
  /** An attempt ended. Its outcome is not recorded yet; if the lease is lost, another attempt is made. */
  attempt: DeliveryIds & {
    attempt: number
    outcome: AttemptEnd['outcome']
    httpStatus: number | null
    errorClass: ErrorClass | null
    /** The exchange with the receiver, in ms. */
    tookMs: number
  }
  /** The outcome of a claim was recorded. */
  settled: DeliveryIds & { outcome: 'completed' | 'failed' | 'rescheduled' | 'held' | 'released' | 'filtered' }
  /** A delivery was held at its settle. */
  held: DeliveryIds & { reason: HoldReason }
  /** Held deliveries of an endpoint were resumed by its timer. */
  resumed: { endpointId: string; deliveries: number }
  /** A delivery was marked failed because its attempts were exhausted when a worker or a sweep took it. */
  exhausted: DeliveryIds & { errorClass: ErrorClass | null }
  /** The outcome of a claim was refused: another worker owns the delivery. */
  leaseLost: DeliveryIds
  /** A sweep of the cron dispatched rows again. */
  swept: { redispatched: number; resumed: number; released: number; exhausted: number }
  /** An endpoint changed its state by a settle: its circuit, a pause, or disabled. */
  endpoint: EndpointChange
}

export type LifecycleName = keyof LifecycleEvents

export type LifecycleListener<Name extends LifecycleName> = (event: LifecycleEvents[Name]) => unknown

/** The listeners of one engine. */
export interface Lifecycle {
  /** See `Engine.on`. */
  on<Name extends LifecycleName>(name: Name, listener: LifecycleListener<Name>): () => void
  /** Whether somebody listens: without a listener no event is built. */
  has(name: LifecycleName): boolean
  emit<Name extends LifecycleName>(name: Name, event: LifecycleEvents[Name]): void
}

type Listeners = { readonly [Name in LifecycleName]: Set<LifecycleListener<Name>> }

export function createLifecycle(logger: Logger): Lifecycle {
  const listeners: Listeners = {
    published: new Set(),
    claimed: new Set(),
    attempt: new Set(),
    settled: new Set(),
    held: new Set(),
    resumed: new Set(),
    exhausted: new Set(),
    leaseLost: new Set(),
    swept: new Set(),
    endpoint: new Set(),
  }

  function failed(event: LifecycleName, error: unknown): void {
    logger.error({ event, ...errorFields(error) }, 'a listener failed; deliveries are not affected')
  }

  return {
    on(name, listener) {
      if (!Object.hasOwn(listeners, name))
        throw new EngineError(
          'invalid_option',
          `engine.on has no event ${name}; it has ${Object.keys(listeners).join(', ')}`,
        )
      if (typeof listener !== 'function')
        throw new EngineError('invalid_option', `engine.on takes a function; found ${typeof listener}`)
      // A function of its own, so that one listener can be added twice and each be removed by itself.
      const added: typeof listener = (event) => listener(event)
      const all: Set<typeof listener> = listeners[name]
      all.add(added)
      return () => {
        all.delete(added)
      }
    },
    has: (name) => listeners[name].size > 0,
    emit(name, event) {
      if (listeners[name].size === 0) return
      // A copy: a listener may remove and add listeners, and one that is added now would be called too.
      for (const listener of Array.from(listeners[name])) {
        try {
          const result: unknown = listener(event)
          // Not only a promise may reject: any thenable may.
          if (typeof result === 'object' && result !== null)
            Promise.resolve(result).catch((error: unknown) => failed(name, error))
        } catch (error) {
          failed(name, error)
        }
      }
    },
  }
}

/** The rows that a claim or a sweep of an adapter took. */
export interface NotedClaim {
  claims?: ClaimResult['claims'] | undefined
  exhausted: ClaimResult['exhausted']
}

/** Logs and tells what a claim or a sweep of an adapter took. */
export function noteClaim(
  { logger, lifecycle }: { logger: Logger; lifecycle: Lifecycle },
  { claims = [], exhausted }: NotedClaim,
): void {
  if (lifecycle.has('claimed'))
    for (const claim of claims) lifecycle.emit('claimed', { ...idsOf(claim), attempt: claim.attempts })
  for (const row of exhausted) {
    // Only the part before the colon: the receiver's own text may follow.
    const error = row.lastError?.split(':')[0]
    const errorClass = classOf(row.lastError)
    logger.warn({ deliveryId: row.id, errorClass, error }, 'delivery failed: its attempts are exhausted')
    lifecycle.emit('exhausted', { ...idsOf(row), errorClass })
  }
}

function idsOf({
  id,
  endpointId,
  workspaceId,
  type,
}: Pick<EventState, 'id' | 'endpointId' | 'workspaceId' | 'type'>): DeliveryIds {
  return { deliveryId: id, endpointId, workspaceId, type }
}

/** Tells of an attempt that was made. */
export function tellAttempt(lifecycle: Lifecycle, event: TakenEvent, outcome: DeliveryOutcome): void {
  const end = outcome.attempt && lifecycle.has('attempt') ? attemptEnd(outcome) : undefined
  if (!end || !outcome.attempt) return
  lifecycle.emit('attempt', {
    ...idsOf(event),
    attempt: attemptNumber(event),
    outcome: end.outcome,
    httpStatus: end.httpStatus ?? null,
    errorClass: classOf(end.error ?? null, end.httpStatus),
    tookMs: outcome.attempt.tookMs,
  })
}

const SETTLED = {
  complete: 'completed',
  reschedule: 'rescheduled',
  fail: 'failed',
  hold: 'held',
  release: 'released',
  filtered: 'filtered',
} as const

/** Tells of a settle. A claim of which only the id and `gen` are known is told by them alone. */
export function tellSettled(
  lifecycle: Lifecycle,
  finished: readonly FinishedDelivery[],
  lost: readonly ClaimRef[],
): void {
  if (!(lifecycle.has('settled') || lifecycle.has('held') || lifecycle.has('leaseLost'))) return
  const gone = new Set(lost)
  for (const { claim, outcome } of finished) {
    const ids = idsOf(
      'type' in claim ? claim : { id: claim.id, endpointId: endpointIdOf(claim.id), workspaceId: '', type: '' },
    )
    if (gone.has(claim)) {
      lifecycle.emit('leaseLost', ids)
      continue
    }
    const { kind } = outcome
    const isFailed = kind === 'disable_endpoint' && attemptEnd(outcome)?.outcome === 'failed'
    lifecycle.emit('settled', {
      ...ids,
      outcome: kind === 'disable_endpoint' ? (isFailed ? 'failed' : 'completed') : SETTLED[kind],
    })
    if (kind === 'hold') lifecycle.emit('held', { ...ids, reason: outcome.reason })
  }
}

/** Tells how many deliveries of each endpoint were resumed. */
export function tellResumed(lifecycle: Lifecycle, resumed: readonly { id: string }[]): void {
  if (!lifecycle.has('resumed')) return
  for (const [endpointId, rows] of Map.groupBy(resumed, ({ id }) => endpointIdOf(id)))
    lifecycle.emit('resumed', { endpointId, deliveries: rows.length })
}
