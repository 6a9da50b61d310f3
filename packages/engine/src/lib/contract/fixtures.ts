import {
  type ClaimRef,
  type OutboxDatabase,
  type OutboxEvent,
  type PendingEvent,
  Transaction,
  enqueueEventStatement,
  newEventId,
} from '@keepsend/outbox'
import {
  type Resolved,
  onlyRow as rowIn,
  pendingEvents,
  readPendingEvents,
  rowId,
  sqlText,
} from '@keepsend/outbox/internal'
import { expect } from 'vitest'
import type { EndpointInput } from '../endpoints/endpoint.ts'
import type { Engine } from '../engine-api.ts'
import type { EventQueue, QueuedEvent } from '../publish/event-queue.ts'
import type { WebhookEvent } from '../publish/event.ts'
import { createKeyRing } from '../secrets/key-ring.ts'
import { silentLogger } from '../logger.ts'
import type { EngineOptions } from '../options.ts'

/** The settings that the contract needs: pass them to `createEngine` unchanged. */
export type EventQueueSettings = Resolved<
  Pick<EngineOptions, 'retrySchedule' | 'deadlineMs' | 'maxDeadlineMs' | 'urlPolicy' | 'secrets' | 'logger'>
>

/** A running queue on an empty database. */
export interface EventQueueSetup {
  /** Migrated and empty. */
  db: OutboxDatabase
  /** Created with the queue, a sender and the contract's settings. */
  engine: Engine
  queue: EventQueue
  /** Starts a new receiver, which shares nothing with the others. */
  receiver(): Promise<ContractReceiver>
  /**
   * Processes the queue's messages, the due rows and everything that follows from them, as the workers and the cron would.
   * Resolves when nothing is left to do now. Messages that the queue delays must be left waiting; messages that the queue
   * delivers again because the database failed may be left for the next call.
   */
  drain(): Promise<void>
  close(): Promise<void>
}

/** A receiver. It answers 200 until told otherwise. */
export interface ContractReceiver {
  /** Under 127.0.0.1, or any other URL that the setup's sender can reach. */
  url: string
  /** From `newSecret()`: the endpoint signs with it. The receiver must throw on a signature that does not verify. */
  secret: string
  /** Answers with this status from now on, waiting requests included. `hold` makes requests wait. */
  answer: (how: number | 'hold') => Promise<void>
  /** The requests that have arrived, in order, answered or not. */
  arrivals: () => Promise<readonly ContractArrival[]>
}

/** One request as it arrived. */
export interface ContractArrival {
  /** The header `webhook-id`. */
  id: string
  body: string
}

/** A setup with the actions of the promises. */
export interface World extends EventQueueSetup {
  /** Creates an endpoint of workspace `w` at a new receiver, by default for all event types. */
  addEndpoint: (input?: Partial<EndpointInput>) => Promise<Endpoint>
  /** Commits this many events of workspace `w` and returns their ids. */
  publish: (count: number) => Promise<string[]>
  /** Waits for the host's background work, then drains the queue. */
  work: () => Promise<void>
  /** Takes the work that a host runs after its response. */
  background: (work: Promise<void>) => void
  /** Reads every row, in key order. */
  rows: () => Promise<PendingEvent[]>
}

export interface Endpoint extends ContractReceiver {
  endpointId: string
}

/** Declares the test of one promise: `body` runs on a setup of its own. */
export type Holds = (promise: string, body: (world: World) => Promise<void>) => void

export const SETTINGS: EventQueueSettings = {
  // Two immediate retries: three attempts.
  retrySchedule: [0, 0],
  // Longer than a busy machine needs, and short enough for what a platform allows after a response.
  deadlineMs: 10_000,
  maxDeadlineMs: 10_000,
  urlPolicy: { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: 'any' },
  // Its receivers fail on purpose.
  logger: silentLogger,
  secrets: createKeyRing([{ id: 'contract', key: 'a2VlcHNlbmQgY29udHJhY3Qga2V5LCAzMiBieXRlcyE=' }]),
}

export function worldOf(setup: EventQueueSetup): World {
  const { db, engine } = setup
  const inBackground: Promise<void>[] = []
  const background = (work: Promise<void>): void => void inBackground.push(work)
  return {
    ...setup,
    background,
    async addEndpoint(input = {}) {
      const receiver = await setup.receiver()
      const { url, secret } = receiver
      const { endpoint } = await engine.endpoints.create('w', { url, secret, ...input })
      return { ...receiver, endpointId: endpoint.id }
    },
    async publish(count) {
      const events = Array.from({ length: count }, () => event())
      return (await engine.commit({ writes: [], events, background })).eventIds
    },
    async work() {
      await Promise.all(inBackground.splice(0))
      await setup.drain()
    },
    async rows() {
      const { rows } = await db.run(sqlText`select ${pendingEvents.all} from pending_events order by id`)
      return readPendingEvents(rows)
    },
  }
}

/** An event of workspace `w`. */
export function event(id: string = newEventId()): Resolved<Pick<WebhookEvent, 'id' | 'type' | 'workspaceId' | 'data'>> {
  return { id, type: 'message.created', workspaceId: 'w', data: { id } }
}

/** The message of a row under this `gen`: the row's current one, that of {@link insertRow}, or of {@link firstClaimOf}. */
export function messageFor({ id, gen }: ClaimRef): QueuedEvent {
  return { outboxId: id, gen, type: 'message.created', workspaceId: 'w' }
}

/** The row as in its first message: `gen` begins with the time of the insert. */
export function firstClaimOf({ id, createdAt }: PendingEvent): ClaimRef {
  return { id, gen: createdAt }
}

/** Inserts a row for the endpoint, started as the queue wants it, without a message; returns its id and `gen` for one. */
export async function insertRow(
  { db, queue }: World,
  { endpointId }: Endpoint,
  parts: Partial<Pick<OutboxEvent, 'payload' | 'due'>> = {},
): Promise<ClaimRef> {
  const eventId = newEventId()
  const transaction = new Transaction()
  transaction.add(
    enqueueEventStatement({
      eventId,
      endpointId,
      workspaceId: 'w',
      type: 'message.created',
      payload: '{}',
      due: queue.rowsStart ?? 'now',
      ...parts,
    }),
  )
  // In the same transaction: a poller may claim the row as soon as it is committed.
  const inserted = transaction.add<ClaimRef>(
    sqlText`select id, gen from pending_events where id = ${rowId(eventId, endpointId)}`,
  )
  await transaction.commit(db)
  return rowIn(inserted.rows)
}

/** Makes every row due that waits for a time. */
export async function makeWaitingRowsDue({ db }: World): Promise<void> {
  await db.run(sqlText`update pending_events set due_at = created_at where status = 'pending' and due_at is not null`)
}

/** Sends messages as the engine does: in one call if the queue has `sendBatch`. */
export async function sendMessages(queue: EventQueue, messages: QueuedEvent[]): Promise<void> {
  if (queue.sendBatch) await queue.sendBatch(messages)
  else for (const message of messages) await queue.send(message)
}

/** Expects a single row and returns it. */
export async function onlyRow({ rows: read }: World): Promise<PendingEvent> {
  const rows = await read()
  expect(rows).toHaveLength(1)
  return rows[0] as PendingEvent
}

/** The `webhook-id`s of the requests that arrived, sorted. */
export async function idsAt(receiver: ContractReceiver): Promise<string[]> {
  return (await receiver.arrivals()).map(({ id }) => id).sort()
}
