import type { RawBody } from './raw-body.ts'

/** A message on its way to a worker. It names a row; what is sent is read from the row. */
export interface QueuedEvent {
  type: string
  workspaceId: string
  data?: object | undefined
  /** Without `outboxId`: the body of an event that has no `data`. */
  raw?: RawBody | undefined
  /** The row is already durable: do not insert another; settle it after the delivery. Absent: the adapter owns durability. */
  outboxId?: string | undefined
  /** The row's generation when the message was made: a row that has moved on makes the message stale. */
  gen?: number | undefined
  /** The event's id. Without `outboxId`, the id under which to run the fan-out, so that a repeat inserts nothing. */
  eventId?: string | undefined
  endpointId?: string | undefined
  /** Without `outboxId`: the event's channels. */
  channels?: readonly string[] | undefined
  /** Without `outboxId`: when the event occurred, ISO 8601. */
  timestamp?: string | undefined
}

/**
 * What tells a worker that there is something to deliver. Rows are durable before a message with their `outboxId` is
 * sent, so losing a message costs time (the sweep finds the row), never a delivery.
 */
export interface EventQueue {
  /**
   * Resolves once the message is accepted. With `outboxId`: accepted means the worker has been told. Without: the rows
   * are durable, or somebody durable will make them; it is never delivered as it is.
   */
  send(message: QueuedEvent): Promise<void>
  /** The same for many; an empty list does nothing. Left out, `send` is called for each. */
  sendBatch?(messages: QueuedEvent[]): Promise<void>
  /**
   * How rows start: `'now'` for a queue that polls them, `'dispatched'` where a message makes the first attempt.
   * @default 'now'
   */
  readonly rowsStart?: 'now' | 'dispatched' | undefined
  /**
   * With `'dispatched'`: messages that one publish sends at most for a workspace. The rest of its rows, and every row that
   * comes while others of the workspace stand in line, stand in line and get no message: the adapter's settles and its sweep
   * dispatch them. Left out: each row gets its message.
   */
  readonly dispatchAtOnce?: number | undefined
}
