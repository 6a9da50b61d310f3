import type { EngineWorker } from './engine-worker.ts'
import type { OutboxDatabase, OutboxStats } from '@keepsend/outbox'
import type { SQL } from 'drizzle-orm'
import type { ApiKeys } from './access/api-key.ts'
import type { CommitOptions, CommitResult } from './publish/commit.ts'
import type { DeliveryStore } from './deliveries/delivery-store.ts'
import type { EndpointStore } from './endpoints/endpoint-store-api.ts'
import type { WebhookEvent } from './publish/event.ts'
import type { BackgroundOption, EngineCounters } from './publish/dispatch.ts'
import type { IdempotencyKey } from './idempotency/idempotency.ts'
import type { Limits } from './limits.ts'
import type { Logger } from './logger.ts'
import type { EngineRoutes } from './engine-routes.ts'

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
  /** What queues and pollers call to deliver: see docs/writing-an-adapter.md. */
  readonly worker: EngineWorker
  readonly logger: Logger
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
  stats(): Promise<OutboxStats>
}
