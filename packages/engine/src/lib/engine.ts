import {
  type ClaimOptions,
  type OutboxDatabase,
  type OutboxStats,
  type PendingEvent,
  type Settled,
  isEventId,
  outboxStats,
  toDrizzle,
} from '@keepsend/outbox'
import type { SQL } from 'drizzle-orm'
import { type Admission, admit } from './admit.ts'
import { type ApiKeys, createApiKeys } from './api-key.ts'
import { createCheckUrl } from './check-url.ts'
import { checkedDeliveries, checkedEndpoints } from './checked-stores.ts'
import { type CommitOptions, type Committed, asEngineError, commitUnit } from './commit.ts'
import { type DeliverDeps, deliverEvent } from './deliver.ts'
import { type DeliveryReads, createDeliveryReads } from './deliveries.ts'
import { type EndpointStore, createEndpointStore } from './endpoint-store.ts'
import { EngineError } from './errors.ts'
import { type PreparedEvent, type WebhookEvent, prepareEvent } from './event.ts'
import { type EngineCounters, handOff, handOffWithoutRows, messagesOf, newCounters } from './hand-off.ts'
import { type IdempotencyKey, hashKey, readAnswer } from './idempotency.ts'
import { type Logger, carefulLogger, errorFields } from './logger.ts'
import { type Upkeep, maintain } from './maintain.ts'
import { checkOptions } from './option-names.ts'
import { type EngineOptions, readOptions } from './options.ts'
import { type PublishTarget, enqueueForEndpoint, fanOutStatement, messagesFor } from './publish.ts'
import { createReporter } from './operational.ts'
import { createPermits } from './rate.ts'
import { createRoutes } from './routes/app.ts'
import type { EngineRoutes } from './routes/route.ts'
import { createPepper } from './pepper.ts'
import { PLAINTEXT, createSecretStore } from './secret-store.ts'
import { type FinishedDelivery, type SettleNext, noteOutcomes, settleDeliveries } from './settle-deliveries.ts'
import { createWebCryptoSigner } from './sign.ts'
import { createTargets } from './targets.ts'
import type { DeliveryOutcome } from './verdict.ts'
import { type WakeOptions, type Woken, wakeEndpoints } from './wake.ts'

export interface Sent {
  eventId: string
  /** The rows are durable. False: the database refused, the event was handed on without them, and that was logged. */
  accepted: boolean
  /** Rows inserted: endpoints that will get it. */
  deliveries: number
}

export interface Engine {
  readonly db: OutboxDatabase
  readonly endpoints: EndpointStore
  readonly apiKeys: ApiKeys
  readonly deliveries: DeliveryReads
  readonly counters: EngineCounters
  readonly logger: Logger
  /** Whether it was given a sender: one without publishes, and another process delivers. */
  readonly canDeliver: boolean
  /** Bound on one attempt with everything in it, in ms: a lease must be longer. */
  readonly maxDeadlineMs: number
  /** The management API, a Hono app to mount where it suits. */
  readonly routes: EngineRoutes
  /** The caller's writes, the deliveries and the idempotency record, all or nothing. */
  commit(options: CommitOptions): Promise<Committed>
  /** What the request of that key was answered when it committed; undefined if it has not. Marks nothing. */
  recall(idempotencyKey: IdempotencyKey): Promise<Pick<Committed, 'status' | 'body'> | undefined>
  /** An event for a change that is committed already. Its rows are awaited; a refusal degrades and is reported. */
  send(event: WebhookEvent, background?: CommitOptions['background']): Promise<Sent>
  /** The fan-out alone, unexecuted, for the host's own transaction. Afterwards a push queue wants `dispatch(event.id)`. */
  publishStatement(event: WebhookEvent & { id: string }): SQL
  /** Tells the queue of an event's waiting rows. Never rejects for the queue's sake. */
  dispatch(eventId: string): Promise<void>
  /** A test event for one endpoint, subscribed or not. */
  sendTest(workspaceId: string, endpointId: string): Promise<Sent>
  /**
   * One attempt. `now` is the database's time, ms since the epoch. Never rejects: even a defect of ours is an outcome.
   * Under a rate limit it waits for its moment, unless the row was admitted and waited already.
   */
  deliver(event: PendingEvent, now: number, options?: { admitted?: boolean | undefined }): Promise<DeliveryOutcome>
  /**
   * Writes what attempts came to and, in the same commit, takes the next claim. `roomFor` says how many more rows of an
   * endpoint the worker could take now, and is told whether any are held: as many are let out.
   */
  settle(finished: readonly FinishedDelivery[], claim?: ClaimOptions, roomFor?: SettleNext['roomFor']): Promise<Settled>
  /** Lets out what is held for endpoints whose time has come. For a poller's timer, or a cron. */
  wake(options?: WakeOptions): Promise<Woken>
  /** What endpoints allow of rows that were just taken: attempts at once, and under a rate limit the moment of each. */
  admit(rows: readonly Pick<PendingEvent, 'id' | 'endpointId'>[]): Promise<Admission>
  /** One bounded round of clean-up. */
  maintain(): Promise<Upkeep>
  stats(): Promise<OutboxStats>
}

// A broken attempt (a defect of ours, not of the receiver) is tried again after this.
const BROKEN_RETRY_MS = 60_000

// What enabling an endpoint lets out at once, of all that may be held for it.
const FIRST_LET_OUT = 100

/**
 * Puts the parts together. Has no effect on the database or the network by itself.
 *
 * @throws {EngineError} `invalid_option` for a bad option, and when `secrets` is missing
 */
export function createEngine(options: EngineOptions): Engine {
  const {
    db,
    queue,
    logger: given,
    retrySchedule,
    maxDeadlineMs,
    keepCompleted,
    retentionMs,
    circuit,
    ...settings
  } = readOptions(options)
  const logger = carefulLogger(given)
  const checkUrl = createCheckUrl(settings.urlPolicy)
  const secretStore = createSecretStore(options.secrets)
  const targets = createTargets(db, secretStore, checkUrl, settings.monotonic)
  if (options.secrets === PLAINTEXT) logger.warn({}, 'signing secrets are kept in plaintext: for development alone')
  const target: PublishTarget = { db, rowsStart: queue.rowsStart ?? 'now' }
  const counters = newCounters()
  const apiKeys = createApiKeys(db, createPepper(db, secretStore), logger)
  const deliverDeps: DeliverDeps = {
    targets,
    permits: createPermits(db),
    windowMs: circuit.windowMs,
    sender: options.sender,
    sign: options.signer ?? createWebCryptoSigner(),
    retrySchedule,
    maxDeadlineMs,
    logger,
    ...settings,
  }
  const { operatorWorkspaceId } = settings
  const reporter = operatorWorkspaceId === undefined ? undefined : createReporter(db, operatorWorkspaceId)
  const settleDeps = { db, keepCompleted, circuit, reporter }
  const tell = (messages: Parameters<typeof handOff>[1]): Promise<void> =>
    handOff(queue, messages, { counters, logger })

  // A poller's settles and wake times, or a cron, let out the rest.
  const letOutFirst = async (endpointId: string): Promise<void> => {
    targets.forget(endpointId)
    const { letOut } = await wakeEndpoints(db, circuit.openMs, { batch: FIRST_LET_OUT }, endpointId)
    await tell(letOut.map(({ id: outboxId, gen, type, workspaceId }) => ({ outboxId, gen, type, workspaceId })))
  }

  const engine: Omit<Engine, 'routes'> = {
    db,
    endpoints: checkedEndpoints(
      createEndpointStore(db, secretStore, checkUrl, retrySchedule.length + 1, (id) => targets.forget(id), letOutFirst),
    ),
    apiKeys,
    deliveries: checkedDeliveries(createDeliveryReads(db, letOutFirst)),
    counters,
    logger,
    canDeliver: options.sender !== undefined,
    maxDeadlineMs,

    async commit(unit) {
      checkOptions('engine.commit', unit)
      const { writes, events, response = { status: 200, body: null }, idempotencyKey, background } = unit
      const prepared = events.map((event) => prepareEvent(event))
      const answer = { status: response.status, body: JSON.stringify(response.body ?? null) }
      const committed = await commitUnit(target, { writes, events: prepared, answer, idempotencyKey }, logger)
      const messages = committed.fanOuts.flatMap(({ rows }, index) =>
        messagesFor(prepared[index] as PreparedEvent, rows),
      )
      inBackground(tell(messages), background)
      const eventIds = committed.replayed ? [] : prepared.map(({ id }) => id)
      return { ...committed.answer, replayed: committed.replayed, eventIds }
    },

    recall: async (idempotencyKey) => readAnswer(db, await hashKey(idempotencyKey)),

    async send(event, background) {
      const prepared = prepareEvent(event)
      try {
        const { rows } = await db.run(fanOutStatement(target, prepared))
        inBackground(tell(messagesFor(prepared, rows)), background)
        return { eventId: prepared.id, accepted: true, deliveries: rows.length }
      } catch (error) {
        counters.degraded++
        logger.error(
          { eventId: prepared.id, type: prepared.type, ...errorFields(error) },
          'the rows of an event could not be inserted; it is handed to the queue without them',
        )
        inBackground(handOffWithoutRows(queue, prepared, { counters, logger }), background)
        return { eventId: prepared.id, accepted: false, deliveries: 0 }
      }
    },

    publishStatement: (event) => toDrizzle(fanOutStatement(target, prepareEvent(event))),

    async dispatch(eventId) {
      if (!isEventId(eventId))
        throw new EngineError(
          'invalid_event',
          `dispatch takes an event id, evt_ and a lower-case UUIDv7; found ${eventId}`,
        )
      await tell(await messagesOf(db, eventId))
    },

    async sendTest(workspaceId, endpointId) {
      const endpoint = await engine.endpoints.get(workspaceId, endpointId)
      const maxAttempts = (endpoint.retrySchedule ?? retrySchedule).length + 1
      const event = prepareEvent({ type: 'test', workspaceId, data: { message: 'This is a test event.', endpointId } })
      const messages = await enqueueForEndpoint(target, event, endpointId, maxAttempts).catch((error: unknown) => {
        throw asEngineError(error)
      })
      await tell(messages)
      return { eventId: event.id, accepted: true, deliveries: 1 }
    },

    admit: (rows) => admit(deliverDeps, rows),

    async deliver(event, now, { admitted = false } = {}) {
      try {
        return await deliverEvent(deliverDeps, event, now, admitted)
      } catch (error) {
        logger.error({ deliveryId: event.id, ...errorFields(error) }, 'an attempt broke')
        return { kind: 'retry', delayMs: BROKEN_RETRY_MS, deferral: false, error: `attempt_broke: ${String(error)}` }
      }
    },

    async settle(finished, claim, roomFor) {
      const settled = await settleDeliveries(settleDeps, finished, { claim, roomFor })
      noteOutcomes(targets, finished, circuit.failuresInRow)
      return settled
    },

    async wake(how = {}) {
      checkOptions('engine.wake', how)
      return wakeEndpoints(db, circuit.openMs, how)
    },

    maintain: () => maintain(db, { retentionMs }),
    stats: () => outboxStats(db),
  }

  return Object.assign(engine, { routes: createRoutes(engine, options.authenticate ?? apiKeys.authenticate) })
}

/** The work runs on by itself; a platform that would end it with the response is asked to wait. */
function inBackground(work: Promise<void>, background: CommitOptions['background']): void {
  background?.(work)
}
