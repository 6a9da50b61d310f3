// sqs-event-queue.ts
import {
  type DeliveryOutcome,
  type Engine,
  type EventQueue,
  type QueuedEvent,
  type SettledDelivery,
  insertQueuedEvent,
  messageFor,
} from '@keepsend/engine'
import { beginEvents, claimEvents, releaseEvents, sweepPendingEvents, type TakenEvent } from '@keepsend/outbox'

/** The used part of `new SQS({})` of `@aws-sdk/client-sqs`. */
export interface Sqs {
  sendMessageBatch(input: {
    QueueUrl: string
    Entries: { Id: string; MessageBody: string; DelaySeconds: number }[]
  }): Promise<{ Failed?: { Id: string | undefined; Code: string | undefined }[] | undefined }>
  deleteMessageBatch(input: {
    QueueUrl: string
    Entries: { Id: string; ReceiptHandle: string | undefined }[]
  }): Promise<unknown>
}

/** A message from `receiveMessage`, called with the attribute `ApproximateReceiveCount`. */
export interface SqsMessage {
  Body?: string | undefined
  ReceiptHandle?: string | undefined
  Attributes?: { ApproximateReceiveCount?: string | undefined } | undefined
}

// At least as long as a full receive can take: ten concurrent attempts (30 s), the settle, and the wait in the queue.
// The queue's visibility time-out must be the same, so that no message comes back while its row is in flight.
const LEASE_MS = 120_000
// How late the message of a retry may be before the sweep sends another one.
const GRACE_MS = 300_000
// SQS delays a message by 15 minutes at most. The sweep sends the messages of longer waits.
const HORIZON_MS = 900_000
const MAX_ENTRIES = 10

interface Delayed {
  message: QueuedEvent
  delayMs: number
}

/** The producer. A message carries the id and the `gen` of a row. Only an event without rows is sent whole. */
export class SqsEventQueue implements EventQueue {
  readonly rowsStart = 'dispatched'
  readonly #sqs: Sqs
  readonly #url: string

  constructor(sqs: Sqs, url: string) {
    this.#sqs = sqs
    this.#url = url
  }

  send(message: QueuedEvent): Promise<void> {
    return this.sendBatch([message])
  }

  async sendBatch(messages: readonly QueuedEvent[]): Promise<void> {
    const refused = await this.sendDelayed(messages.map((message) => ({ message, delayMs: 0 })))
    const [first] = refused
    if (first) throw new Error(`SQS refused ${refused.length} of ${messages.length} messages: ${first.error}`)
  }

  /** Returns the messages that SQS refused. One refused call stops no other. */
  async sendDelayed(delayed: readonly Delayed[]): Promise<{ message: QueuedEvent; error: string }[]> {
    const refused: { message: QueuedEvent; error: string }[] = []
    for (let at = 0; at < delayed.length; at += MAX_ENTRIES) {
      const part = delayed.slice(at, at + MAX_ENTRIES)
      const Entries = part.map(({ message, delayMs }, index) => {
        const { outboxId, gen = 0 } = message
        const body = outboxId === undefined ? message : { outboxId, gen }
        return { Id: String(index), MessageBody: JSON.stringify(body), DelaySeconds: Math.ceil(delayMs / 1000) }
      })
      try {
        const { Failed = [] } = await this.#sqs.sendMessageBatch({ QueueUrl: this.#url, Entries })
        const codes = new Map(Failed.map(({ Id, Code = 'refused' }) => [Id, Code]))
        for (const [index, { message }] of part.entries()) {
          const error = codes.get(String(index))
          if (error !== undefined) refused.push({ message, error })
        }
      } catch (error) {
        refused.push(...part.map(({ message }) => ({ message, error: String(error) })))
      }
    }
    return refused
  }
}

/** The consumer and the sweep of that queue. */
export class SqsWorker {
  readonly #engine: Engine
  readonly #queue: SqsEventQueue
  readonly #sqs: Sqs
  readonly #url: string

  constructor(engine: Engine, queue: SqsEventQueue, sqs: Sqs, url: string) {
    this.#engine = engine
    this.#queue = queue
    this.#sqs = sqs
    this.#url = url
  }

  /** Delivers one receive, at most ten messages. Rejects if the database fails; messages not deleted come again. */
  async work(messages: readonly SqsMessage[]): Promise<void> {
    const { db } = this.#engine
    const done: SqsMessage[] = []
    const named = new Map<string, { message: SqsMessage; gen: number }>()
    for (const message of messages) {
      const event = parse(message)
      const other = event?.outboxId === undefined ? undefined : named.get(event.outboxId)
      if (!event) done.push(message)
      else if (event.outboxId === undefined) {
        if (await this.#insertRows(event)) done.push(message)
      } else if (other && other.gen >= (event.gen ?? 0)) done.push(message)
      else {
        if (other) done.push(other.message)
        named.set(event.outboxId, { message, gen: event.gen ?? 0 })
      }
    }

    // One read. Rows that are settled, claimed or rescheduled are in neither list: their messages are stale.
    const refs = [...named].map(([id, { gen }]) => ({ id, gen }))
    const { current, swept } = await beginEvents(db, refs)
    // A message that was received before may have killed its worker, and a swept row may have another message coming.
    // Both are claimed first, so that the attempt counts before it is made.
    const again = ({ id }: TakenEvent): boolean =>
      Number(named.get(id)?.message.Attributes?.ApproximateReceiveCount ?? 1) > 1
    const claimed = await claimEvents(db, [...current.filter(again), ...swept], { leaseMs: LEASE_MS })
    this.#engine.worker.noteClaim(claimed)
    const rows = [...current.filter((row) => !again(row)), ...claimed.claims]

    const attempts = await Promise.all(
      rows.map(async (claim): Promise<Attempt> => {
        const attempted = await this.#engine.worker.deliver(claim, claim.claimedAt ?? Date.now())
        return { claim, attempted, outcome: late(attempted) }
      }),
    )
    // First the row, then the message of the retry, and last the delete: a crash in between repeats and loses nothing.
    const { results, storageError } = await this.#engine.worker.settleEach(attempts)
    await this.#dispatch(results.flatMap(nextMessage))
    for (const { finished, settle } of results) {
      // The outcome was not recorded: the message stays in the queue and comes again.
      if (settle !== 'settled' && settle !== 'lost') named.delete(finished.claim.id)
    }
    await this.#delete([...done, ...[...named.values()].map(({ message }) => message)])
    if (storageError !== undefined) throw storageError
  }

  /** Every minute: takes orphaned rows under a new `gen` and a lease, and only then sends their messages. */
  async sweep(): Promise<number> {
    const { db } = this.#engine
    const { events, exhausted } = await sweepPendingEvents(db, { leaseMs: LEASE_MS, firstSends: 'all' })
    this.#engine.worker.noteClaim({ exhausted })
    const refused = await this.#dispatch(events.map((row) => ({ message: messageFor(row), delayMs: 0 })))
    await releaseEvents(
      db,
      refused.map(({ outboxId = '', gen = 0 }) => ({ id: outboxId, gen })),
    )
    // Held rows whose endpoints take deliveries again. Each row is due a grace after its message.
    const { resumed } = await this.#engine.worker.resumeHeld({ batch: 500, everyMs: 60_000, graceMs: GRACE_MS })
    await this.#dispatch(resumed.map((row) => ({ message: messageFor(row), delayMs: row.delayMs })))
    await this.#engine.worker.maintain()
    return events.length - refused.length
  }

  /** Logs the messages that SQS refused. The sweep sends them again, so a refusal costs time and no delivery. */
  async #dispatch(delayed: readonly Delayed[]): Promise<QueuedEvent[]> {
    const refused = await this.#queue.sendDelayed(delayed)
    const [first] = refused
    if (first) this.#engine.logger.error({ messages: refused.length, error: first.error }, 'SQS refused messages')
    return refused.map(({ message }) => message)
  }

  /** Inserts the rows of an event that has none. While the database refuses, the message stays in the queue. */
  async #insertRows(event: QueuedEvent): Promise<boolean> {
    try {
      const { db, recordsEvents } = this.#engine
      const messages = await insertQueuedEvent({ db, rowsStart: this.#queue.rowsStart, recordsEvents }, event)
      await this.#dispatch(messages.map((message) => ({ message, delayMs: 0 })))
      return true
    } catch (error) {
      this.#engine.logger.error({ eventId: event.eventId, error: String(error) }, 'an event has no rows yet')
      return false
    }
  }

  async #delete(messages: readonly SqsMessage[]): Promise<void> {
    const Entries = messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }))
    if (Entries.length > 0) await this.#sqs.deleteMessageBatch({ QueueUrl: this.#url, Entries })
  }
}

/** One attempt: its own outcome, and the outcome to settle. */
interface Attempt {
  claim: TakenEvent
  attempted: DeliveryOutcome
  outcome: DeliveryOutcome
}

/** The row of a retry is due only when its message is late, so that the sweep does not send a second message. */
function late(outcome: DeliveryOutcome): DeliveryOutcome {
  if (outcome.kind !== 'reschedule' || outcome.delayMs > HORIZON_MS) return outcome
  return { ...outcome, delayMs: outcome.delayMs + GRACE_MS }
}

/** A retry is a new message: the settle has raised `gen`, and the received message carries the old one. */
function nextMessage({ finished: { claim, attempted }, settle }: SettledDelivery<Attempt>): Delayed[] {
  if (settle !== 'settled' || attempted.kind !== 'reschedule' || attempted.delayMs > HORIZON_MS) return []
  return [{ message: messageFor({ ...claim, gen: claim.gen + 1 }), delayMs: attempted.delayMs }]
}

/** Anyone with access to the queue can write anything. A malformed message is deleted, or it would come forever. */
function parse({ Body = '' }: SqsMessage): QueuedEvent | undefined {
  try {
    const event = JSON.parse(Body) as Partial<QueuedEvent>
    return typeof event.outboxId === 'string' || typeof event.type === 'string' ? (event as QueuedEvent) : undefined
  } catch {
    return undefined
  }
}
