import type { EngineWorker } from './engine-worker.ts'
import type { OutboxDatabase, OutboxStats } from '@keepsend/outbox'
import type { SQL } from 'drizzle-orm'
import type { ApiKeys } from './access/api-keys.ts'
import type { EventCatalog, EventOf } from './catalog/event-catalog.ts'
import type { EventType, EventTypeFilter } from './catalog/event-types.ts'
import type { ByOption } from './audit/action.ts'
import type { AuditStore } from './audit/audit-store.ts'
import type { CommitOptions, CommitResult } from './publish/commit.ts'
import type { DeliveryStore } from './deliveries/delivery-store.ts'
import type { TestAttempt, TestOptions } from './delivery/send-test.ts'
import type { AttemptStore } from './history/attempt-list.ts'
import type { CancelResult } from './events/cancel-event.ts'
import type { CircuitOptions } from './health/circuit-breaker.ts'
import type { EventStore } from './events/event-store.ts'
import type { ExportWorkspace } from './export/export-workspace.ts'
import type { StatisticsStore } from './statistics/statistics-api.ts'
import type { PortalLinks } from './portal-links/portal-links.ts'
import type { ReplayStore } from './replays/replay-store.ts'
import type { Erasing } from './erasures/erasure-store.ts'
import type { ProblemStore } from './problems/problem-store.ts'
import type { WorkspaceStore } from './history/workspace-retention.ts'
import type { EndpointStore } from './endpoints/endpoint-store-api.ts'
import type { BackgroundOption, EngineCounters } from './publish/dispatch.ts'
import type { IdempotencyKey } from './idempotency/idempotency.ts'
import type { LifecycleListener, LifecycleName } from './lifecycle.ts'
import type { Limits } from './limits.ts'
import type { Logger } from './logger.ts'
import type { UrlCheck, UrlPolicy } from './url-policy/check-url.ts'
import type { EngineRoutes } from './engine-routes.ts'
import type { WorkerList } from './workers.ts'
import type { WorkspaceList } from './workspaces/workspace-list.ts'

export interface PublishResult {
  eventId: string
  /** Whether the rows were committed. If false, the database failed, which is logged, and the queue got the event without rows. */
  accepted: boolean
  /** Rows inserted, one for each receiving endpoint. Rows for disabled and paused endpoints count; they are held. */
  deliveries: number
}

/** @typeParam Catalog that of the events it publishes: `Engine<typeof catalog>`. Of an engine without one, any event */
export interface Engine<Catalog extends EventCatalog = EventCatalog> extends Erasing {
  readonly db: OutboxDatabase
  readonly endpoints: EndpointStore
  readonly apiKeys: ApiKeys
  /** Links that let customers into the portal. */
  readonly portalLinks: PortalLinks
  readonly deliveries: DeliveryStore
  readonly events: EventStore
  /** The attempts that `history` records. */
  readonly attempts: AttemptStore
  /** The counts that `history.statistics` makes of them. */
  readonly statistics: StatisticsStore
  /** The failed attempts that `history` counts by endpoint, error class and HTTP status. */
  readonly problems: ProblemStore
  /** Jobs that send deliveries again. */
  readonly replays: ReplayStore
  /** The workspaces of the installation, and how long the history of one is retained. */
  readonly workspaces: WorkspaceStore & WorkspaceList
  /** The actions of people. */
  readonly audit: AuditStore
  /** The processes that deliver, with `history`. */
  readonly workers: WorkerList
  readonly counters: EngineCounters
  /** The part that queues and pollers call to deliver: see docs/writing-an-adapter.md. */
  readonly worker: EngineWorker
  readonly logger: Logger
  readonly limits: Limits
  /** Age at which an unsettled delivery expires and a disabled endpoint stops collecting, in ms. */
  readonly maxAgeMs: number
  /** When the circuit of an endpoint opens, is probed, and the endpoint is disabled. */
  readonly circuit: Readonly<CircuitOptions>
  /** The attempts that `history` records; undefined: it is off. */
  readonly recordsAttempts: 'all' | 'failed' | undefined
  /** Waits before the second and each later attempt, in seconds, of endpoints without a schedule of their own. */
  readonly retrySchedule: readonly number[]
  /** Deadline of one attempt in ms, of endpoints without one of their own. */
  readonly deadlineMs: number
  /** Which URLs endpoints may have. */
  readonly urlPolicy: Readonly<UrlPolicy>
  /** Checks a URL as the creation of an endpoint does. */
  readonly checkUrl: (url: string) => UrlCheck
  /** Whether a publish records its event: `history.events`. */
  readonly recordsEvents: boolean
  /** The paths by whose values events are found: `history.search`. */
  readonly searchPaths: readonly string[]
  /** The types of events that it publishes; undefined: any. */
  readonly catalog: Catalog | undefined
  /** The management API: a Hono app to mount at any path. */
  readonly routes: EngineRoutes
  /**
   * Commits the caller's writes, the deliveries and the idempotency record in one transaction: all or nothing.
   *
   * @throws {EngineError} `not_accepted` if nothing was committed, `commit_unconfirmed` if the answer of the commit was lost,
   *   the codes of an invalid event, of the idempotency key and of `limits`; `invalid_option` if a schema of the catalog throws
   */
  commit(options: CommitOptions<EventOf<Catalog>>): Promise<CommitResult>
  /** Reads the stored response of the request that committed under this key; undefined if none has. Writes nothing. */
  findStoredResponse(idempotencyKey: IdempotencyKey): Promise<Pick<CommitResult, 'status' | 'body'> | undefined>
  /**
   * Publishes an event for a change that is already committed. Resolves after its rows are committed. If the database fails,
   * the event goes to the queue without rows and the result says `accepted: false`.
   *
   * @throws {EngineError} `invalid_event`, `payload_too_large`; `too_many_deliveries` and `too_many_waiting`, beyond `limits`;
   *   `invalid_option` if a schema of the catalog throws
   */
  publish(event: EventOf<Catalog>, background?: BackgroundOption['background']): Promise<PublishResult>
  /**
   * Returns the statements of the fan-out without running them: one to four. Run all of them in this order in one transaction
   * or `batch()` of your own, without statements of another publish between them. With a push queue, call
   * `dispatch(event.id)` after the commit. With more receivers than `limits.deliveriesPerPublish` the transaction fails with a
   * null in `pending_events.max_attempts`. `limits.waitingPerWorkspace` is not checked.
   *
   * @throws {EngineError} `invalid_event`, `payload_too_large`; `invalid_option` if a schema of the catalog is asynchronous or throws
   * @example
   * for (const statement of engine.publishStatements(event)) tx.run(statement)
   */
  publishStatements(event: EventOf<Catalog> & { id: string }): SQL[]
  /** The types of the catalog, in the order of their names, with examples and JSON Schemas; without a catalog none. */
  eventTypes(filter?: EventTypeFilter): EventType[]
  /**
   * Dispatches the waiting rows of an event to the queue. An error of the queue does not reject: it is logged and counted, and
   * the sweep finds the rows. Without `background` it resolves when the queue has answered, or after 60 s.
   *
   * @throws {EngineError} `invalid_event` if this is not an event id
   */
  dispatch(eventId: string, background?: BackgroundOption['background']): Promise<void>
  /**
   * Cancels the deliveries of an event that had no attempt yet and are not in flight: they fail as `cancelled`, without a POST. A
   * delivery that is held, or that waits for its `deliverAt`, can be cancelled; a replayed one cannot. A repeat answers the same.
   * On Workers a first attempt leaves no mark in the database: one that is being made meanwhile may have arrived nevertheless.
   *
   * @throws {EngineError} `conflict`: it is too late for all of them; `not_retained`: the workspace has no such event, or no
   *   delivery of it is stored
   * @example
   * const { cancelled, tooLate } = await engine.cancelEvent('w1', eventId)
   */
  cancelEvent(workspaceId: string, eventId: string): Promise<CancelResult>
  /**
   * Publishes an event of type `test` to one endpoint, whatever it subscribes to.
   *
   * @throws {EngineError} `not_found`, `too_many_waiting`, `not_accepted`
   */
  publishTest(workspaceId: string, endpointId: string, options?: BackgroundOption & ByOption): Promise<PublishResult>
  /**
   * Sends a test event with a payload of your own to one endpoint, from this process, and returns the attempt: in the state that the
   * endpoint is in, disabled, paused or with an open circuit, and within its deadline. It is signed and checked as any attempt, has the
   * header `webhook-test: true`, and takes a slot time of the endpoint's rate limit. It is never retried, changes neither the health of
   * the endpoint nor its problems, and is recorded with the reason `test` where `history` is on. A crash loses it.
   *
   * @throws {EngineError} `not_found`; `invalid_event`, `payload_too_large`; `conflict` if this engine has no `sender`;
   *   `too_many_requests` beyond the endpoint's rate limit, and beyond 4 tests in flight of a workspace or 16 of this process
   * @example
   * const { outcome, httpStatus, body } = await engine.sendTest('w1', endpoint.id, { type: 'order.paid', data: { id: 'o1' } })
   */
  sendTest(workspaceId: string, endpointId: string, options?: TestOptions): Promise<TestAttempt>
  /**
   * Exports everything that is stored of a workspace, as lines of NDJSON (each a JSON object with its `kind`, and a line feed): its
   * endpoints, API keys, deliveries, events, attempts, problems, replays and actions, without secrets and keys; see docs/export.md. The
   * last line is of kind `end`. One page is in memory, each is read by at most three statements, and none before you ask for its
   * first line. On D1 a call reads 20 pages: continue with `after`.
   *
   * @throws {EngineError} `invalid_request`, `invalid_option`; from the iterator also `not_retained`: D1 lacks the index by which it
   *   finds delivered attempts
   * @example
   * await pipeline(engine.export('w1'), createWriteStream('w1.ndjson'))
   */
  export: ExportWorkspace
  /**
   * Calls a function for each event of this name in this process; `docs/lifecycle-events.md` lists them. Call the returned
   * function to stop it. A listener is called when the work is done and is not awaited: what it throws or rejects with is
   * logged, and no delivery depends on it. It blocks the process for as long as it computes, so let it only count or append.
   *
   * @throws {EngineError} `invalid_option` for a name that does not exist
   * @example
   * engine.on('attempt', ({ outcome, tookMs }) => attempts.record(tookMs, { outcome }))
   */
  on<Name extends LifecycleName>(name: Name, listener: LifecycleListener<Name>): () => void
  /**
   * Counts the deliveries of the installation by state, up to 100,000, and returns how long the oldest have waited: due ones, and
   * held ones besides.
   */
  stats(): Promise<OutboxStats>
}
