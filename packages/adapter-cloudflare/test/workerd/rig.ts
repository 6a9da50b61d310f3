import { TEST_KEYS } from './keys.ts'
import { reset } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import {
  CloudflareEventQueue,
  type QueueBinding,
  type QueuePolicy,
  type QueuePolicyOptions,
  consumeBatch,
  createFetchSender,
  createQueuePolicy,
} from '../../src/index.ts'
import {
  type EndpointInput,
  type Engine,
  type EngineOptions,
  type Logger,
  createEngine,
  migrateEngine,
} from '@keepsend/engine'
import { type OutboxDatabase, type PendingEvent, newEventId, nextDueEvent } from '@keepsend/outbox'
import { eventIdTime, firstEventIdAt, pendingEvents, readPendingEvents, sqlText } from '@keepsend/outbox/internal'
import { fromD1 } from '@keepsend/outbox/d1'
import { inject, vi } from 'vitest'
import type { Answer, Arrival, Seen } from './receiver.ts'

// What hangs fails its test; a busy machine does not.
vi.setConfig({ testTimeout: 60_000 })

/** For `vi.waitFor`. */
export const PATIENCE = { timeout: 30_000, interval: 10 }

/** A row as it stands, and how often it has moved: `gen` begins at `created_at`. */
export interface StandingRow extends PendingEvent {
  moves: number
}

/** All rows, in the order of their ids. */
export async function standingRows(db: OutboxDatabase): Promise<StandingRow[]> {
  const { rows } = await db.run(sqlText`select ${pendingEvents.all} from pending_events order by id`)
  return readPendingEvents(rows).map((row) => ({ ...row, moves: row.gen - row.createdAt }))
}

/** What a queue was given. */
export interface Sent {
  body: unknown
  delaySeconds?: number
}

/** A message in a consumer's hands, and what became of it. */
export interface HeldMessage {
  body: unknown
  attempts: number
  timestamp: Date
  ack(): void
  retry(options?: { delaySeconds?: number }): void
  /** The first of the two counts, as on the platform. */
  fate: undefined | 'ack' | { retryAfter: number | undefined }
}

export interface RigOptions {
  engine?: Partial<EngineOptions>
  policy?: QueuePolicyOptions
  dispatchAtOnce?: number
  /** Stands between Keepsend and D1. */
  wrap?: (db: OutboxDatabase) => OutboxDatabase
  /** Stands in for the queue; otherwise what is sent is kept in `sent` and reaches nobody. */
  queue?: QueueBinding
  /** What becomes of each call to that queue. `answer lost`: it takes the messages, and does not say so. */
  queueFate?: () => 'well' | 'refused' | 'answer lost' | 'no answer'
}

export interface Rig {
  db: OutboxDatabase
  engine: Engine
  policy: QueuePolicy
  /** What another isolate makes of the same bindings, with nothing between it and D1. */
  newIsolate: () => QueuePolicy
  /** Messages sent to the queue, in order. Nothing consumes them but the test. */
  sent: Sent[]
  log: { level: string; message: string; fields: Record<string, unknown> }[]
  rows: () => Promise<StandingRow[]>
  /** The database's own time. */
  now: () => Promise<number>
  /** An endpoint, of workspace `w` unless told otherwise, that wants everything, at a path of its own. */
  addEndpoint: (answer?: Answer, input?: Partial<EndpointInput> & { workspaceId?: string }) => Promise<Hook>
  /** Publishes that many events to `w` and waits for their hand-off; the ids of all rows, in order. */
  publish: (count: number, event?: { type?: string; agoMs?: number; workspaceId?: string }) => Promise<string[]>
  /** As if every lease and every wait had just ended. */
  lapse: () => Promise<void>
  /** Gives what was sent, or the first so many, to the consumer, as one batch, and takes it from `sent`. */
  consume: (options?: { attempts?: number; waitedMs?: number; most?: number }) => Promise<HeldMessage[]>
}

/** For `publish`: longer ago than a first lease, and within what the sweep looks at each minute. */
export const LOST_MS = 200_000

/** One endpoint's side of the world. */
export interface Hook {
  endpointId: string
  answer(answer: Answer): Promise<void>
  /** Answers the request that has waited longest, and no other. */
  answerOne(answer: Answer): Promise<void>
  arrivals(): Promise<Arrival[]>
  /** Requests without an answer, and the most there were at once. */
  open(): Promise<number>
  peak(): Promise<number>
}

/** An engine on a fresh D1 database, with the parts of one queue around it. */
export async function rig(options: RigOptions = {}): Promise<Rig> {
  await reset()
  const plain = fromD1(env.DB)
  await migrateEngine(plain)
  const db = options.wrap?.(plain) ?? plain
  const sent: Sent[] = []
  const log: Rig['log'] = []
  const keep = (level: string) => (fields: Record<string, unknown>, message: string) =>
    void log.push({ level, message, fields })
  const logger: Logger = { info: keep('info'), warn: keep('warn'), error: keep('error') }
  const binding: QueueBinding = options.queue ?? {
    async sendBatch(messages) {
      const fate = options.queueFate?.() ?? 'well'
      if (fate === 'refused') throw new Error('Too Many Requests')
      if (fate !== 'no answer') sent.push(...messages)
      if (fate !== 'well') await new Promise(() => {})
    },
  }
  const newIsolate = (itsDb: OutboxDatabase): QueuePolicy => {
    const queue = new CloudflareEventQueue({
      queue: binding,
      sendTimeoutMs: 1000,
      dispatchAtOnce: options.dispatchAtOnce,
    })
    const engine = createEngine({
      db: itsDb,
      queue,
      sender: createFetchSender(),
      secrets: TEST_KEYS,
      logger,
      urlPolicy: { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: 'any' },
      // Longer than a busy machine takes to answer: a test of time-outs gives its endpoint a shorter one.
      deadlineMs: 10_000,
      maxDeadlineMs: 15_000,
      random: () => 0,
      ...options.engine,
    })
    return createQueuePolicy({ engine, queue }, options.policy)
  }
  const policy = newIsolate(db)
  const { engine } = policy
  return {
    db,
    engine,
    policy,
    newIsolate: () => newIsolate(plain),
    sent,
    log,
    rows: () => standingRows(plain),
    now: async () => (await nextDueEvent(plain)).now,
    async addEndpoint(answer = { status: 200 }, { workspaceId = 'w', ...input } = {}) {
      const url = `${inject('receiver')}/hook/${crypto.randomUUID()}`
      const { endpoint, secret } = await engine.endpoints.create(workspaceId, { url, ...input })
      const tell = async (method: string, next: Answer): Promise<void> => {
        await fetch(url, { method, body: JSON.stringify({ ...next, secret }) })
      }
      const look = async (): Promise<Seen> => (await fetch(url)).json()
      await tell('PUT', answer)
      return {
        endpointId: endpoint.id,
        answer: (next) => tell('PUT', next),
        answerOne: (next) => tell('PATCH', next),
        arrivals: async () => (await look()).arrivals,
        open: async () => (await look()).open,
        peak: async () => (await look()).peak,
      }
    },
    async publish(count, { type = 'message.created', agoMs = 0, workspaceId = 'w' } = {}) {
      const events = Array.from({ length: count }, (_, n) => ({
        id: eventIdFrom(agoMs),
        type,
        workspaceId,
        data: { n },
      }))
      const dispatched: Promise<void>[] = []
      await engine.commit({ writes: [], events, background: (work) => void dispatched.push(work) })
      await Promise.all(dispatched)
      const { rows } = await plain.run(sqlText`select id from pending_events order by id`)
      return rows.map(({ id }) => String(id))
    },
    async lapse() {
      await plain.run(sqlText`
        update pending_events set due_at = (select ms from keepsend_clock) - 1
        where status = 'pending' and due_at is not null`)
    },
    async consume(how) {
      const batch = batchOf(
        sent.splice(0, how?.most ?? sent.length).map(({ body }) => body),
        how,
      )
      await consumeBatch(policy, batch)
      return batch.messages
    },
  }
}

/** An event id made that long ago; those that follow one another are in order, as they are in life. */
export function eventIdFrom(agoMs: number): string {
  const id = newEventId()
  return firstEventIdAt(eventIdTime(id) - agoMs) + id.slice(17)
}

/** What became of each message. */
export function fates(messages: readonly HeldMessage[]): HeldMessage['fate'][] {
  return messages.map(({ fate }) => fate)
}

/** A batch as the platform hands it to a consumer, whose messages remember what became of them. */
export function batchOf(
  bodies: readonly unknown[],
  options: { attempts?: number; queue?: string; waitedMs?: number } = {},
): { queue: string; messages: HeldMessage[] } {
  const { attempts = 1, queue = 'keepsend', waitedMs = 0 } = options
  const timestamp = new Date(Date.now() - waitedMs)
  const messages = bodies.map((body): HeldMessage => {
    const message: HeldMessage = {
      body,
      attempts,
      timestamp,
      fate: undefined,
      ack: () => void (message.fate ??= 'ack'),
      retry: (how) => void (message.fate ??= { retryAfter: how?.delaySeconds }),
    }
    return message
  })
  return { queue, messages }
}

/** The bodies of messages for rows that had moved so often: the first send of each, unless told otherwise. */
export function messagesFor(rows: readonly PendingEvent[], moves = 0): { outboxId: string; gen: number }[] {
  return rows.map(({ id, createdAt }) => ({ outboxId: id, gen: createdAt + moves }))
}
