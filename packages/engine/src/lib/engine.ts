import { outboxStats } from '@keepsend/outbox'
import { createAttemptCredentials } from './delivery/attempt-credentials.ts'
import { createAuditStore } from './audit/audit-store.ts'
import { createAccessStores } from './access-stores.ts'
import type { EventCatalog } from './catalog/event-catalog.ts'
import { createCatalogParts } from './catalog/catalog-parts.ts'
import { createRowCeilings } from './row-ceiling.ts'
import { createCheckUrl } from './url-policy/check-url.ts'
import { COMMIT_OPTIONS, type CommitOptions, type PublishedEvent, commitTransaction } from './publish/commit.ts'
import type { DeliverDeps } from './delivery/deliver.ts'
import { createAnyState } from './deliveries/any-state.ts'
import { createDeliveryStore } from './deliveries/delivery-store.ts'
import { warnOfDevelopment } from './development-warnings.ts'
import { createExport } from './export/export-workspace.ts'
import { createHistoryStores } from './history-stores.ts'
import { createJobStores } from './job-stores.ts'
import { createReplayDelivery } from './replays/replay-delivery.ts'
import { createEndpoints } from './endpoints/endpoints-by-uid.ts'
import { createSendTest } from './delivery/send-test.ts'
import type { Engine } from './engine-api.ts'
import { createEngineWorker } from './engine-worker.ts'
import { EngineError, checkNames } from './errors.ts'
import { createReceiverCount } from './publish/receiver-count.ts'
import { dispatchRows, dispatchWithoutRows, inBackground, messagesOf, newCounters } from './publish/dispatch.ts'
import { findStoredResponse } from './idempotency/idempotency.ts'
import { errorFields } from './logger.ts'
import { redactingLogger } from './redacting-logger.ts'
import { createKeyCheck } from './secrets/key-check.ts'
import { type EngineOptions, readOptions } from './options.ts'
import type { PublishTarget } from './publish/fan-out.ts'
import { fanOut, messageFor, messagesFor, publishStatements } from './publish/publish.ts'
import { createNotifier } from './health/operational-webhooks.ts'
import { createKnownFilters } from './filters/known-filters.ts'
import { createLifecycle } from './lifecycle.ts'
import { createPermits } from './backlog/rate-limit.ts'
import { createRequestLimit } from './access/request-limit.ts'
import { createRoutes } from './api/app.ts'
import type { RouteEngine } from './api/route.ts'
import { createPublishTest } from './publish-test.ts'
import { createSecretStore } from './secrets/secret-store.ts'
import { createWebCryptoSigner } from './signing/sign.ts'
import { createEndpointCache } from './endpoints/endpoint-cache.ts'
import { resumeHeld } from './backlog/resume-due.ts'
import { createHeartbeat } from './workers.ts'

// Held rows that enabling or resuming an endpoint resumes immediately; its timer resumes the others.
const FIRST_RESUMED = 100

// On a push queue a resumed row becomes due only this long after its message should arrive. If it were due earlier, the
// sweep would dispatch it a second time while a consumer works on the message.
const MESSAGE_GRACE_MS = 300_000

/**
 * Creates an engine from its database, queue, sender and secrets. Touches neither the database nor the network.
 *
 * @throws {EngineError} `invalid_option` for a bad option, and when `secrets` is missing
 */
export function createEngine<C extends EventCatalog = EventCatalog>(options: EngineOptions<C>): Engine<C> {
  const {
    db,
    queue,
    logger: given,
    retrySchedule,
    maxDeadlineMs,
    maxAgeMs,
    circuit,
    limits,
    ...settings
  } = readOptions(options)
  const logger = redactingLogger(given, settings.monotonic)
  const lifecycle = createLifecycle(logger)
  const { sender, development, publicUrl } = settings
  const checkUrl = createCheckUrl(settings.urlPolicy, { allowLoopback: development })
  const secretStore = createSecretStore(options.secrets)
  const endpointCache = createEndpointCache(db, secretStore, checkUrl, settings.monotonic)
  warnOfDevelopment(logger, options)
  const { rowsStart = 'now', messagesPerPublish } = queue
  const fewReceivers = createReceiverCount(settings.monotonic)
  const { events: recordsEvents = false, search: searchPaths = [] } = settings.history ?? {}
  const filters = createKnownFilters(db, { ...settings, logger })
  const recording = { recordsEvents, searchPaths, logger }
  const bounds = { maxAgeMs, deliveriesPerPublish: limits.deliveriesPerPublish }
  const target: PublishTarget = { db, rowsStart, messagesPerPublish, fewReceivers, filters, ...recording, ...bounds }
  const { preparing, versions, ...catalogParts } = createCatalogParts({ ...settings, db, logger })
  const ceilings = createRowCeilings(db, limits, { ...settings, logger })
  const keyCheck = createKeyCheck(db, secretStore, logger)
  const counters = newCounters()
  const access = createAccessStores({ db, logger, limits }, secretStore)
  const delivering: DeliverDeps = {
    endpointCache,
    permits: createPermits(db),
    credentials: createAttemptCredentials({ ...settings, db, checkUrl, logger }),
    versions,
    windowMs: circuit.windowMs,
    sign: options.signer ?? createWebCryptoSigner(),
    retrySchedule,
    maxAgeMs,
    maxDeadlineMs,
    logger,
    ...settings,
  }
  // Without a sender another process delivers, and only that one knows whether it supports TLS options.
  const canUseTls = sender === undefined || sender.supports?.tls === true
  const notifier = createNotifier(target, settings)
  const probing = { openMs: circuit.openMs, random: settings.random }
  const notifyQueue = (messages: Parameters<typeof dispatchRows>[1]): Promise<void> =>
    dispatchRows(queue, messages, { db, counters, logger })

  // The settles and timers of a poller, or a cron, resume the other rows.
  const graceMs = rowsStart === 'dispatched' ? MESSAGE_GRACE_MS : undefined
  const resumeFirst = async (endpointId: string, background: CommitOptions['background']): Promise<void> => {
    endpointCache.forget(endpointId)
    const { resumed } = await resumeHeld(db, probing, { batch: FIRST_RESUMED, graceMs }, endpointId)
    inBackground(notifyQueue(resumed.map(messageFor)), background)
  }

  const tellPublished = ({ event, deliveries }: PublishedEvent): void => {
    if (!lifecycle.has('published')) return
    const { id: eventId, workspaceId, type } = event
    lifecycle.emit('published', { eventId, workspaceId, type, deliveries })
  }

  const anyState = createAnyState(db, rowsStart)
  const store = createDeliveryStore({
    ...settings,
    db,
    logger,
    anyState,
    graceMs,
    dispatchNow(row, background) {
      endpointCache.forget(row.endpointId)
      inBackground(notifyQueue([messageFor(row)]), background)
    },
    notifyFailed: (row, error) => notifier?.deliveries([{ claim: row, error }]) ?? [],
  })
  const deliveries = { ...store, replay: createReplayDelivery({ ...settings, db, logger, versions }) }
  const engine: RouteEngine = {
    db,
    endpoints: createEndpoints(
      db,
      secretStore,
      checkUrl,
      { logger, defaultAttempts: retrySchedule.length + 1, maxAgeMs, limits, canUseTls, versions },
      (id, workspaceId) => {
        endpointCache.forget(id)
        preparing.forget(workspaceId)
      },
      resumeFirst,
    ),
    ...access,
    deliveries,
    ...createHistoryStores({ db, logger, deliveries }, settings.history),
    export: createExport({ ...settings, db, logger, anyState, stores: () => engine }),
    audit: createAuditStore(db, settings.auditRetentionMs),
    ...createJobStores({ ...settings, db, logger, deliveries, versions, forget: (id) => endpointCache.forget(id) }),
    counters,
    worker: createEngineWorker({
      ...settings,
      db,
      logger,
      circuit,
      notifier,
      maxAgeMs,
      deliveries,
      versions,
      delivering,
      keyCheck,
      lifecycle,
      heartbeat: settings.history && createHeartbeat(db, { ...settings, rowsStart }),
    }),
    maxAgeMs,
    retrySchedule,
    deadlineMs: settings.deadlineMs,
    urlPolicy: settings.urlPolicy,
    checkUrl,
    limits,
    ...recording,
    recordsAttempts: settings.history?.attempts,
    circuit,
    ...catalogParts,
    idempotencyRecords: ceilings.idempotencyRecords,

    async commit(commitOptions) {
      checkNames('engine.commit', COMMIT_OPTIONS, commitOptions)
      const { writes, events, response = { status: 200, body: null }, idempotencyKey, background } = commitOptions
      const prepared = await preparing.prepareAll(events)
      const answer = { status: response.status, body: JSON.stringify(response.body ?? null) }
      const parts = { writes, events: prepared, answer, idempotencyKey }
      const committed = await commitTransaction(target, parts, { logger, ...ceilings })
      inBackground(notifyQueue(committed.messages), background)
      committed.published.forEach(tellPublished)
      const eventIds = committed.replayed ? [] : prepared.map(({ id }) => id)
      return { ...committed.answer, replayed: committed.replayed, eventIds }
    },

    findStoredResponse: (idempotencyKey) => findStoredResponse(db, idempotencyKey),

    async publish(event, background) {
      const prepared = await preparing.prepare(event)
      try {
        const counting = ceilings.waiting.check(prepared.workspaceId)
        if (counting) await counting
        const rows = await fanOut(target, prepared)
        ceilings.waiting.added(prepared.workspaceId, rows.length)
        inBackground(notifyQueue(messagesFor(target, prepared, rows)), background)
        tellPublished({ event: prepared, deliveries: rows.length })
        return { eventId: prepared.id, accepted: true, deliveries: rows.length }
      } catch (error) {
        // A limit was reached: the queue would run into the same one.
        if (error instanceof EngineError) throw error
        counters.degraded++
        logger.error(
          { eventId: prepared.id, type: prepared.type, ...errorFields(error) },
          'failed to insert the deliveries of an event; sending the event to the queue without rows',
        )
        inBackground(dispatchWithoutRows(queue, prepared, { counters, logger }), background)
        return { eventId: prepared.id, accepted: false, deliveries: 0 }
      }
    },

    publishStatements: (event) => publishStatements(target, preparing.prepareNow(event)),

    async dispatch(eventId, background) {
      const dispatched = notifyQueue(await messagesOf(target, eventId))
      if (background) background(dispatched)
      else await dispatched
    },

    publishTest: createPublishTest({
      logger,
      versions,
      target,
      ceilings,
      notifyQueue,
      tellPublished,
      requireEndpoint: (...key) => engine.endpoints.get(...key),
    }),

    sendTest: createSendTest({ db, delivering, versions, find: (...endpoint) => engine.endpoints.get(...endpoint) }),
    verifyKeys: () => keyCheck.verify(),
    on: (name, listener) => lifecycle.on(name, listener),
    stats: () => outboxStats(db),
  }

  const countRequest = createRequestLimit(limits.requestsPerSecond, settings.monotonic)
  const routes = createRoutes(engine, options.authenticate ?? access.apiKeys.authenticate, { publicUrl, countRequest })
  // The engine is made for every event; its type allows those of the catalog.
  return Object.assign(engine, { routes }) as Engine as Engine<C>
}
