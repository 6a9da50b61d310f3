import type { RawBody } from './raw-body.ts'

/** A message for a worker. With `outboxId` it only names a row, and the payload is read from the row. */
export interface QueuedEvent {
  type: string
  workspaceId: string
  data?: object | undefined
  /** Without `outboxId`: the body of an event that has no `data`. */
  raw?: RawBody | undefined
  /** The row exists: insert no other, and settle it after the delivery. Absent: the adapter inserts the rows. */
  outboxId?: string | undefined
  /** The row's generation when the message was made. If the row's `gen` is higher by now, the message is stale. */
  gen?: number | undefined
  /** The event's id. Without `outboxId`, the id under which to run the fan-out, so that a repeat inserts nothing. */
  eventId?: string | undefined
  endpointId?: string | undefined
  /** Without `outboxId`: the event's channels. */
  channels?: readonly string[] | undefined
  /** Without `outboxId`: when the event occurred, ISO 8601. */
  timestamp?: string | undefined
  /** Without `outboxId`: the label of its data, and that of endpoints that were made without one. Absent: it has no version. */
  version?: { label: string; oldest: string } | undefined
  /** Without `outboxId`: the event's trace context. */
  traceparent?: string | undefined
  /** Without `outboxId`: the event's `deliverAt`, RFC 3339. */
  deliverAt?: string | undefined
  /** Without `outboxId`: from when on its deliveries fail as `expired`, RFC 3339. */
  expiresAt?: string | undefined
}

/**
 * Notifies workers of rows to deliver. Rows are committed before a message with their `outboxId` is sent, so losing a
 * message costs time (the sweep finds the row), never a delivery.
 */
export interface EventQueue {
  /**
   * Resolves once the message is accepted. With `outboxId`: a worker is notified. Without: the rows are committed, or a
   * durable consumer will insert them; such a message is never delivered as it is.
   */
  send(message: QueuedEvent): Promise<void>
  /** The same for several messages; an empty list does nothing. @default `send` is called for each */
  sendBatch?(messages: QueuedEvent[]): Promise<void>
  /**
   * How rows start: `'now'` for a queue that polls them, `'dispatched'` where a message makes the first attempt. A row with a
   * `deliverAt` ahead waits for its time: with `'now'` its message says when the poller has to look, with `'dispatched'` it has no
   * message, and the sweep dispatches it when it is due.
   *
   * @default 'now'
   */
  readonly rowsStart?: 'now' | 'dispatched' | undefined
  /**
   * With `'dispatched'`: the most messages that one publish sends for a workspace. Its other rows, and every row that arrives
   * while rows of the workspace wait in a lane, wait in their lane without a message; the adapter's settles and its sweep
   * dispatch them.
   *
   * @default each row gets its message
   */
  readonly messagesPerPublish?: number | undefined
}
