import { OutboxError, Transaction, outboxStats } from '@keepsend/outbox'
import { isEventId, rowId, sqlText } from '@keepsend/outbox/internal'
import { createAttemptCredentials } from './delivery/attempt-credentials.ts'
import { createApiKeys } from './access/api-key.ts'
import { createRowCeilings } from './row-ceiling.ts'
import { createCheckUrl } from './url-policy/check-url.ts'
import { COMMIT_OPTIONS, type CommitOptions, commitTransaction } from './publish/commit.ts'
import type { DeliverDeps } from './delivery/deliver.ts'
import { createDeliveryStore } from './deliveries/delivery-store.ts'
import { createEndpointStore } from './endpoints/endpoint-store.ts'
import type { Engine } from './engine-api.ts'
import { createEngineWorker } from './engine-worker.ts'
import { EngineError, asEngineError, checkNames } from './errors.ts'
import { prepareEvent, prepareEvents } from './publish/event.ts'
import { createReceiverCount } from './publish/receiver-count.ts'
import {
  BACKGROUND_OPTIONS,
  dispatchRows,
  dispatchWithoutRows,
  inBackground,
  messagesOf,
  newCounters,
} from './publish/dispatch.ts'
import { hashKey, readAnswer } from './idempotency/idempotency.ts'
import { errorFields } from './logger.ts'
import { redactingLogger } from './redacting-logger.ts'
import { createKeyCheck } from './secrets/key-check.ts'
import { type EngineOptions, readOptions } from './options.ts'
import { type PublishTarget, fanOutToOneStatements } from './publish/fan-out.ts'
import { addInsert, fanOut, messageFor, messagesFor, publishStatements } from './publish/publish.ts'
import { createNotifier } from './health/operational-webhooks.ts'
import { createPermits } from './backlog/rate-limit.ts'
import { createRequestLimit } from './access/request-limit.ts'
import { createRoutes } from './api/app.ts'
import type { RouteEngine } from './api/route.ts'
import { createPepper } from './secrets/pepper.ts'
import { PLAINTEXT, createSecretStore } from './secrets/secret-store.ts'
import { createWebCryptoSigner } from './signing/sign.ts'
import { createEndpointCache } from './endpoints/endpoint-cache.ts'
import { resumeHeld } from './backlog/resume-due.ts'

// What enabling an endpoint lets out at once, of all that may be held for it.
const FIRST_LET_OUT = 100

// How late the message of a resumed row may be, on a queue whose messages bring the rows. Due before, it would stand in
// line, and be dispatched a second time while the message is worked.
const MESSAGE_GRACE_MS = 300_000

const DEVELOPMENT_WARNING =
  'development: true opens this machine to endpoint URLs: http and any port on localhost, 127.0.0.0/8 and [::1]; never use it in production'

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
    maxAgeMs,
    circuit,
    limits,
    ...settings
  } = readOptions(options)
  const logger = redactingLogger(given, settings.monotonic)
  const { sender, development } = settings
  const checkUrl = createCheckUrl(settings.urlPolicy, { allowLoopback: development })
  const secretStore = createSecretStore(options.secrets)
  const targets = createEndpointCache(db, secretStore, checkUrl, settings.monotonic)
  if (options.secrets === PLAINTEXT) logger.warn({}, 'signing secrets are kept in plaintext: for development alone')
  if (development) logger.warn({}, DEVELOPMENT_WARNING)
  const { rowsStart = 'now', dispatchAtOnce } = queue
  const { deliveriesPerPublish } = limits
  const fewReceivers = createReceiverCount(settings.monotonic)
  const target: PublishTarget = { db, rowsStart, dispatchAtOnce, maxAgeMs, deliveriesPerPublish, fewReceivers }
  const ceilings = createRowCeilings(db, limits, { ...settings, logger })
  const keyCheck = createKeyCheck(db, secretStore, logger)
  const counters = newCounters()
  const apiKeys = createApiKeys(db, createPepper(db, secretStore), logger)
  const delivering: DeliverDeps = {
    targets,
    permits: createPermits(db),
    access: createAttemptCredentials({ ...settings, db, checkUrl, logger }),
    windowMs: circuit.windowMs,
    sign: options.signer ?? createWebCryptoSigner(),
    retrySchedule,
    maxAgeMs,
    maxDeadlineMs,
    logger,
    ...settings,
  }
  // Without a sender another process delivers, and knows.
  const canUseTls = sender === undefined || sender.supports?.tls === true
  const { operatorWorkspaceId, random } = settings
  const reporter = operatorWorkspaceId === undefined ? undefined : createNotifier(target, operatorWorkspaceId)
  const probing = { openMs: circuit.openMs, random }
  const tell = (messages: Parameters<typeof dispatchRows>[1]): Promise<void> =>
    dispatchRows(queue, messages, { db, counters, logger })

  // A poller's settles and wake times, or a cron, let out the rest.
  const graceMs = rowsStart === 'dispatched' ? MESSAGE_GRACE_MS : undefined
  const letOutFirst = async (endpointId: string, background: CommitOptions['background']): Promise<void> => {
    targets.forget(endpointId)
    const { resumed } = await resumeHeld(db, probing, { batch: FIRST_LET_OUT, graceMs }, endpointId)
    inBackground(tell(resumed.map(messageFor)), background)
  }

  const engine: RouteEngine = {
    db,
    endpoints: createEndpointStore(
      db,
      secretStore,
      checkUrl,
      { defaultAttempts: retrySchedule.length + 1, maxAgeMs, limits, canUseTls },
      (id) => targets.forget(id),
      letOutFirst,
    ),
    apiKeys,
    deliveries: createDeliveryStore(db, rowsStart, letOutFirst),
    counters,
    logger,
    worker: createEngineWorker({
      ...settings,
      db,
      logger,
      circuit,
      keepCompleted,
      reporter,
      maxAgeMs,
      delivering,
      keyCheck,
    }),
    maxAgeMs,
    limits,
    idempotencyRecords: ceilings.idempotencyRecords,

    async commit(unit) {
      checkNames('engine.commit', COMMIT_OPTIONS, unit)
      const { writes, events, response = { status: 200, body: null }, idempotencyKey, background } = unit
      const prepared = prepareEvents(events)
      const answer = { status: response.status, body: JSON.stringify(response.body ?? null) }
      const one = { writes, events: prepared, answer, idempotencyKey }
      const committed = await commitTransaction(target, one, { logger, ...ceilings })
      inBackground(tell(committed.messages), background)
      const eventIds = committed.replayed ? [] : prepared.map(({ id }) => id)
      return { ...committed.answer, replayed: committed.replayed, eventIds }
    },

    findStoredResponse: async (idempotencyKey) => {
      const key = await hashKey(idempotencyKey)
      return readAnswer(db, key).catch((error: unknown) => {
        throw asEngineError(error)
      })
    },

    async publish(event, background) {
      const prepared = prepareEvent(event)
      try {
        const looking = ceilings.waiting.check(prepared.workspaceId)
        if (looking) await looking
        const rows = await fanOut(target, prepared)
        ceilings.waiting.added(prepared.workspaceId, rows.length)
        inBackground(tell(messagesFor(target, prepared, rows)), background)
        return { eventId: prepared.id, accepted: true, deliveries: rows.length }
      } catch (error) {
        // A limit, which a queue would not raise.
        if (error instanceof EngineError) throw error
        counters.degraded++
        logger.error(
          { eventId: prepared.id, type: prepared.type, ...errorFields(error) },
          'the rows of an event could not be inserted; it is handed to the queue without them',
        )
        inBackground(dispatchWithoutRows(queue, prepared, { counters, logger }), background)
        return { eventId: prepared.id, accepted: false, deliveries: 0 }
      }
    },

    publishStatements: (event) => publishStatements(target, prepareEvent(event)),

    async dispatch(eventId, background) {
      if (!isEventId(eventId))
        throw new EngineError(
          'invalid_event',
          `dispatch takes an event id, evt_ and a lower-case UUIDv7; found ${eventId}`,
        )
      const told = tell(await messagesOf(target, eventId))
      if (background) background(told)
      else await told
    },

    async publishTest(workspaceId, endpointId, { once, ...how } = {}) {
      checkNames('engine.publishTest', BACKGROUND_OPTIONS, how)
      await engine.endpoints.get(workspaceId, endpointId)
      await ceilings.waiting.check(workspaceId)
      const event = prepareEvent({ type: 'test', workspaceId, data: { message: 'This is a test event.', endpointId } })
      const transaction = new Transaction()
      once?.begin(transaction)
      const inserted = addInsert(transaction, fanOutToOneStatements(target, event, endpointId))
      const id = rowId(event.id, endpointId)
      once?.end(transaction, sqlText`select id from pending_events where id = ${id}`)
      await transaction.commit(db).catch(async (error: unknown) => {
        // Of an endpoint that was deleted meanwhile there is no answer.
        if (once && !(error instanceof OutboxError)) await engine.endpoints.get(workspaceId, endpointId)
        throw asEngineError(error)
      })
      if (inserted.rows.length === 0) throw new EngineError('not_found', 'no such endpoint')
      ceilings.waiting.added(workspaceId, inserted.rows.length)
      inBackground(tell(messagesFor(target, event, inserted.rows)), how.background)
      return { eventId: event.id, accepted: true, deliveries: 1 }
    },

    verifyKeys: () => keyCheck.verify(),
    stats: () => outboxStats(db),
  }

  const countRequest = createRequestLimit(limits.requestsPerSecond, settings.monotonic)
  const { publicUrl } = settings
  const routes = createRoutes(engine, options.authenticate ?? apiKeys.authenticate, { publicUrl, countRequest })
  return Object.assign(engine, { routes })
}
