import type { OutboxDatabase, OutboxStats, TakenEvent, SettleResult } from '@keepsend/outbox'
import type { SQL } from 'drizzle-orm'
import type { Admission } from './delivery/admission.ts'
import type { ApiKeys } from './access/api-key.ts'
import type { CommitOptions, CommitResult } from './publish/commit.ts'
import type { DeliveryStore } from './deliveries/delivery-store.ts'
import type { EndpointStore } from './endpoints/endpoint-store-api.ts'
import type { WebhookEvent } from './publish/event.ts'
import type { BackgroundOption, EngineCounters } from './publish/dispatch.ts'
import type { IdempotencyKey } from './idempotency/idempotency.ts'
import type { Limits } from './limits.ts'
import type { Logger } from './logger.ts'
import type { MaintenanceResult } from './maintenance.ts'
import type { EngineRoutes } from './api/route.ts'
import type { FinishedDelivery, SettleNext } from './delivery/settle-deliveries.ts'
import type { SettleEachResult } from './delivery/settle-each.ts'
import type { DeliveryOutcome } from './delivery/classify-response.ts'
import type { ResumeHeldOptions, ResumeHeldResult } from './backlog/resume-due.ts'

export interface PublishResult {
  eventId: string
  /** The rows are durable. False: the database refused, the event was handed on without them, and that was logged. */
  accepted: boolean
  /** Rows inserted: endpoints that will get it, disabled ones, for which it is held, among them. */
  deliveries: number
}

export interface Engine {
  readonly db: OutboxDatabase
  readonly endpoints: EndpointStore
  readonly apiKeys: ApiKeys
  readonly deliveries: DeliveryStore
  readonly counters: EngineCounters
  readonly logger: Logger
  /** Whether it was given a sender: one without publishes, and another process delivers. */
  readonly canDeliver: boolean
  /** Bound on one attempt with everything in it, in ms: a lease must be longer. */
  readonly maxDeadlineMs: number
  readonly limits: Limits
  /** How long a delivery may take, and a disabled endpoint collects, in ms. */
  readonly maxAgeMs: number
  /** The management API, a Hono app to mount where it suits. */
  readonly routes: EngineRoutes
  /** The caller's writes, the deliveries and the idempotency record, all or nothing. */
  commit(options: CommitOptions): Promise<CommitResult>
  /** What the request of that key was answered when it committed; undefined if it has not. Marks nothing. */
  findStoredResponse(idempotencyKey: IdempotencyKey): Promise<Pick<CommitResult, 'status' | 'body'> | undefined>
  /**
   * An event for a change that is committed already. Its rows are awaited; a refusal degrades and is reported.
   *
   * @throws {EngineError} `invalid_event`, `payload_too_large`; `too_many_deliveries` and `too_many_waiting`, beyond `limits`
   */
  publish(event: WebhookEvent, background?: BackgroundOption['background']): Promise<PublishResult>
  /**
   * The fan-out alone, unexecuted: one or two statements, all of them to be run in this order, with none of another publish
   * between them, in one transaction or `batch()` of the host's own. Afterwards a push queue wants `dispatch(event.id)`.
   * With more receivers than `limits.deliveriesPerPublish` it fails, as a null in `pending_events.max_attempts`; what waits
   * is not looked at.
   *
   * @example
   * for (const statement of engine.publishStatements(event)) tx.run(statement)
   */
  publishStatements(event: WebhookEvent & { id: string }): SQL[]
  /**
   * Tells the queue of an event's waiting rows. Never rejects for the queue's sake. Without `background` it resolves when the
   * queue has answered, or after 60 s.
   */
  dispatch(eventId: string, background?: BackgroundOption['background']): Promise<void>
  /** A test event for one endpoint, subscribed or not. */
  publishTest(workspaceId: string, endpointId: string, options?: BackgroundOption): Promise<PublishResult>
  /**
   * One attempt. `now` is the database's time, ms since the epoch. Never rejects: even a defect of ours is an outcome.
   * Under a rate limit it waits for its moment, unless the row was admitted and waited already.
   */
  deliver(event: TakenEvent, now: number, options?: { admitted?: boolean | undefined }): Promise<DeliveryOutcome>
  /** Writes what attempts came to and, in the same commit, takes the next claim. All of it, or it rejects. */
  settle(finished: readonly FinishedDelivery[], next?: SettleNext): Promise<SettleResult>
  /**
   * {@link Engine.settle} for a worker: what the database refuses as a group is tried row by row, and each outcome is
   * answered for itself. Rejects only when there was nothing to settle.
   */
  settleEach<F extends FinishedDelivery>(finished: readonly F[], next?: SettleNext): Promise<SettleEachResult<F>>
  /** Lets out what is held for endpoints whose time has come. For a poller's timer, or a cron. */
  resumeHeld(options?: ResumeHeldOptions): Promise<ResumeHeldResult>
  /** What endpoints allow of rows that were just taken: attempts at once, and under a rate limit the moment of each. */
  admit(rows: readonly Pick<TakenEvent, 'id' | 'endpointId'>[]): Promise<Admission>
  /**
   * Whether the keys of `secrets` are those of the database: reads a known text under each key that was ever the first, and
   * stores one for the first key of now. The adapters call it at the start, and `GET /health` looks too. A database that
   * does not answer is logged.
   *
   * @throws {EngineError} `secret_unreadable`, naming the key that is missing or is another
   */
  checkKeys(): Promise<void>
  /** One bounded round of clean-up: what is too old expires, what was retained long enough goes. */
  maintain(): Promise<MaintenanceResult>
  stats(): Promise<OutboxStats>
}
