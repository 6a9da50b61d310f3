// sqs-event-queue.ts
import {
  type DeliveryOutcome,
  type Engine,
  type EventQueue,
  type QueuedEvent,
  type SettledDelivery,
  insertQueuedEvent,
  logExhausted,
  messageFor,
} from '@keepsend/engine'
import { beginEvents, claimEvents, releaseEvents, sweepPendingEvents, type TakenEvent } from '@keepsend/outbox'

/** The part of `new SQS({})` of `@aws-sdk/client-sqs` that is used. */
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

/** What `receiveMessage` gives, asked for `ApproximateReceiveCount`. */
export interface SqsMessage {
  Body?: string | undefined
  ReceiptHandle?: string | undefined
  Attributes?: { ApproximateReceiveCount?: string | undefined } | undefined
}

// At least what a full receive can take: here ten attempts side by side (30 s), the settle, and the wait in the queue.
// The queue's visibility time-out is the same, so that a message does not come back while it is worked.
const LEASE_MS = 120_000
// How late a retry's message may be before the sweep sends another.
const GRACE_MS = 300_000
// SQS keeps a message back for 15 minutes at most; what waits longer is the sweep's.
const HORIZON_MS = 900_000
const MAX_ENTRIES = 10

interface Delayed {
  message: QueuedEvent
  delayMs: number
}

/** The producer. Its messages carry a row's id and `gen`; an event without rows travels whole, once. */
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

  /** Answers what SQS refused. A refused part stops no other. */
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

  /** Works what one receive brought, at most ten. Rejects if the database fails: what is not deleted comes back. */
  async work(messages: readonly SqsMessage[]): Promise<void> {
    const { db } = this.#engine
    const done: SqsMessage[] = []
    const named = new Map<string, { message: SqsMessage; gen: number }>()
    for (const message of messages) {
      const event = parse(message)
      const other = event?.outboxId === undefined ? undefined : named.get(event.outboxId)
      if (!event) done.push(message)
      else if (event.outboxId === undefined) {
        if (await this.#keep(event)) done.push(message)
      } else if (other && other.gen >= (event.gen ?? 0)) done.push(message)
      else {
        if (other) done.push(other.message)
        named.set(event.outboxId, { message, gen: event.gen ?? 0 })
      }
    }

    // One read. Rows that are settled, taken or put off are not in it: their messages have nothing to add.
    const refs = [...named].map(([id, { gen }]) => ({ id, gen }))
    const { current, swept } = await beginEvents(db, refs)
    // Brought before, so a worker may have died on it; or overtaken by the sweep: such a row is claimed, and charged.
    const again = ({ id }: TakenEvent): boolean =>
      Number(named.get(id)?.message.Attributes?.ApproximateReceiveCount ?? 1) > 1
    const { claims, exhausted } = await claimEvents(db, [...current.filter(again), ...swept], {
      leaseMs: LEASE_MS,
    })
    logExhausted(this.#engine.logger, exhausted)
    const rows = [...current.filter((row) => !again(row)), ...claims]

    const attempts = await Promise.all(
      rows.map(async (claim): Promise<Attempt> => {
        const attempted = await this.#engine.deliver(claim, claim.claimedAt ?? Date.now())
        return { claim, attempted, outcome: late(attempted) }
      }),
    )
    // First the row, then the message for what follows, and the message in hand last: a crash in between repeats.
    const { results, storageError } = await this.#engine.settleEach(attempts)
    await this.#handOn(results.flatMap(nextMessage))
    for (const { finished, settle } of results) {
      // Not recorded: its message comes back.
      if (settle !== 'settled' && settle !== 'lost') named.delete(finished.claim.id)
    }
    await this.#delete([...done, ...[...named.values()].map(({ message }) => message)])
    if (storageError !== undefined) throw storageError
  }

  /** Every minute: rows that fell through go to the queue again, under a new `gen` and a lease taken before the send. */
  async sweep(): Promise<number> {
    const { db } = this.#engine
    const { events, exhausted } = await sweepPendingEvents(db, { leaseMs: LEASE_MS, firstSends: 'all' })
    logExhausted(this.#engine.logger, exhausted)
    const refused = await this.#handOn(events.map((row) => ({ message: messageFor(row), delayMs: 0 })))
    await releaseEvents(
      db,
      refused.map(({ outboxId = '', gen = 0 }) => ({ id: outboxId, gen })),
    )
    // Rows that were held for their endpoints, each due a grace after its message.
    const { resumed } = await this.#engine.resumeHeld({ batch: 500, everyMs: 60_000, graceMs: GRACE_MS })
    await this.#handOn(resumed.map((row) => ({ message: messageFor(row), delayMs: row.delayMs })))
    await this.#engine.maintain()
    return events.length - refused.length
  }

  /** What SQS refuses is swept: it costs time, and is not kept quiet. */
  async #handOn(delayed: readonly Delayed[]): Promise<QueuedEvent[]> {
    const refused = await this.#queue.sendDelayed(delayed)
    const [first] = refused
    if (first) this.#engine.logger.error({ messages: refused.length, error: first.error }, 'SQS refused a hand-off')
    return refused.map(({ message }) => message)
  }

  /** Makes the rows of an event that has none. While the database refuses, its message stays in the queue. */
  async #keep(event: QueuedEvent): Promise<boolean> {
    try {
      const { db } = this.#engine
      const messages = await insertQueuedEvent({ db, rowsStart: this.#queue.rowsStart }, event)
      await this.#handOn(messages.map((message) => ({ message, delayMs: 0 })))
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

/** An attempt: what the receiver made of it, and what is written. */
interface Attempt {
  claim: TakenEvent
  attempted: DeliveryOutcome
  outcome: DeliveryOutcome
}

/** The row of a retry is due only when its message is late, so that the sweep does not send a second one. */
function late(outcome: DeliveryOutcome): DeliveryOutcome {
  if (outcome.kind !== 'reschedule' || outcome.delayMs > HORIZON_MS) return outcome
  return { ...outcome, delayMs: outcome.delayMs + GRACE_MS }
}

/** A retry is a new message: the settle has moved `gen` on, and the message in hand carries the old one. */
function nextMessage({ finished: { claim, attempted }, settle }: SettledDelivery<Attempt>): Delayed[] {
  if (settle !== 'settled' || attempted.kind !== 'reschedule' || attempted.delayMs > HORIZON_MS) return []
  return [{ message: messageFor({ ...claim, gen: claim.gen + 1 }), delayMs: attempted.delayMs }]
}

/** Whoever may write to the queue may write anything: what is not ours is dropped, or it would come for ever. */
function parse({ Body = '' }: SqsMessage): QueuedEvent | undefined {
  try {
    const event = JSON.parse(Body) as Partial<QueuedEvent>
    return typeof event.outboxId === 'string' || typeof event.type === 'string' ? (event as QueuedEvent) : undefined
  } catch {
    return undefined
  }
}
