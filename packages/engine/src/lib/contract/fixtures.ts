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

/** What the contract asks of the engine: hand it to `createEngine` as it is. */
export type EventQueueSettings = Resolved<
  Pick<EngineOptions, 'retrySchedule' | 'deadlineMs' | 'maxDeadlineMs' | 'urlPolicy' | 'secrets' | 'logger'>
>

/** A queue at work on a fresh database. */
export interface EventQueueSetup {
  /** Migrated, and empty. */
  db: OutboxDatabase
  /** Made with the queue, a sender and the contract's settings. */
  engine: Engine
  queue: EventQueue
  /** A new receiver, which knows nothing of the others. */
  receiver(): Promise<ContractReceiver>
  /**
   * Works what the queue was told and what is due, with all that follows from it, as the workers and the cron would;
   * resolves when nothing is left to do at this time. What the queue has put off by a delay is left alone; what it
   * brings again because the database failed may be left for the next call.
   */
  drain(): Promise<void>
  close(): Promise<void>
}

/** One end of the line. By itself it answers 200. */
export interface ContractReceiver {
  /** Under 127.0.0.1, or wherever the setup's sender finds it. */
  url: string
  /** `newSecret()`: the endpoint signs with it. Refuse, loudly, what does not verify. */
  secret: string
  /** Answers with that status from now on; requests that it held are answered too. `hold` keeps them waiting. */
  answer: (how: number | 'hold') => Promise<void>
  /** What has arrived, in that order, answered or not. */
  arrivals: () => Promise<readonly ContractArrival[]>
}

/** One request as it arrived. */
export interface ContractArrival {
  /** The header `webhook-id`. */
  id: string
  body: string
}

/** A setup, with what the promises do to it. */
export interface World extends EventQueueSetup {
  /** An endpoint of workspace `w` at a new receiver; it wants everything unless told otherwise. */
  addEndpoint: (input?: Partial<EndpointInput>) => Promise<Endpoint>
  /** Commits that many events of workspace `w`; the ids of the events. */
  publish: (count: number) => Promise<string[]>
  /** Lets a host's background work, and then the queue, come to their end. */
  work: () => Promise<void>
  /** Takes work that a host would run after its response. */
  background: (work: Promise<void>) => void
  /** Every row, in key order. */
  rows: () => Promise<PendingEvent[]>
}

export interface Endpoint extends ContractReceiver {
  endpointId: string
}

/** Declares one promise: `body` runs on a setup of its own. */
export type Holds = (promise: string, body: (world: World) => Promise<void>) => void

export const SETTINGS: EventQueueSettings = {
  // Two retries, at once: three attempts.
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

/** The message that names a row under this `gen`: of the row as it stands, of a {@link keepRow}, or of a {@link firstOf}. */
export function messageFor({ id, gen }: ClaimRef): QueuedEvent {
  return { outboxId: id, gen, type: 'message.created', workspaceId: 'w' }
}

/** The row as its first message named it: `gen` begins at the time of the insert. */
export function firstOf({ id, createdAt }: PendingEvent): ClaimRef {
  return { id, gen: createdAt }
}

/** Inserts a row for that endpoint, started as the queue wants it, and tells nobody; what its message would name. */
export async function keepRow(
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
  // In the same transaction: a poller may take the row as soon as it is committed.
  const kept = transaction.add<ClaimRef>(
    sqlText`select id, gen from pending_events where id = ${rowId(eventId, endpointId)}`,
  )
  await transaction.commit(db)
  return rowIn(kept.rows)
}

/** Time passes until whatever waits for a time has come to it. */
export async function timePasses({ db }: World): Promise<void> {
  await db.run(sqlText`update pending_events set due_at = created_at where status = 'pending' and due_at is not null`)
}

/** As the engine tells a queue: in one call if the queue takes many. */
export async function tell(queue: EventQueue, messages: QueuedEvent[]): Promise<void> {
  if (queue.sendBatch) await queue.sendBatch(messages)
  else for (const message of messages) await queue.send(message)
}

/** The one row there is. */
export async function onlyRow({ rows: read }: World): Promise<PendingEvent> {
  const rows = await read()
  expect(rows).toHaveLength(1)
  return rows[0] as PendingEvent
}

/** The ids under which requests arrived, sorted. */
export async function idsAt(receiver: ContractReceiver): Promise<string[]> {
  return (await receiver.arrivals()).map(({ id }) => id).sort()
}
