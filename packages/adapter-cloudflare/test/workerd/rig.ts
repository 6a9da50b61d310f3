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

// Long enough for a busy machine; a test that hangs fails.
vi.setConfig({ testTimeout: 180_000 })

/** For `vi.waitFor`. */
export const PATIENCE = { timeout: 30_000, interval: 10 }

/** A row, and how many transitions it made: `gen` starts at `created_at`. */
export interface StandingRow extends PendingEvent {
  moves: number
}

/** All rows, in the order of their ids. */
export async function standingRows(db: OutboxDatabase): Promise<StandingRow[]> {
  const { rows } = await db.run(sqlText`select ${pendingEvents.all} from pending_events order by id`)
  return readPendingEvents(rows).map((row) => ({ ...row, moves: row.gen - row.createdAt }))
}

/** A message that was sent to the queue. */
export interface Sent {
  body: unknown
  delaySeconds?: number
}

/** A message that a consumer gets, and its result. */
export interface HeldMessage {
  body: unknown
  attempts: number
  timestamp: Date
  ack(): void
  retry(options?: { delaySeconds?: number }): void
  /** The first call counts, as on the platform. */
  fate: undefined | 'ack' | { retryAfter: number | undefined }
}

export interface RigOptions {
  engine?: Partial<EngineOptions>
  policy?: QueuePolicyOptions
  messagesPerPublish?: number
  /** Wraps D1. */
  wrap?: (db: OutboxDatabase) => OutboxDatabase
  /** Replaces the queue; otherwise messages are only recorded in `sent`. */
  queue?: QueueBinding
  /** The result of each call to that queue. `answer lost`: it takes the messages, and its response is lost. */
  queueFate?: () => 'well' | 'refused' | 'answer lost' | 'no answer'
}

export interface Rig {
  db: OutboxDatabase
  engine: Engine
  policy: QueuePolicy
  /** Another isolate on the same bindings, without the wrapper of D1. */
  newIsolate: () => QueuePolicy
  /** Messages sent to the queue, in order. Only the test consumes them. */
  sent: Sent[]
  log: { level: string; message: string; fields: Record<string, unknown> }[]
  rows: () => Promise<StandingRow[]>
  /** The database's time. */
  now: () => Promise<number>
  /** Creates an endpoint for all events at a path of its own, by default in workspace `w`. */
  addEndpoint: (answer?: Answer, input?: Partial<EndpointInput> & { workspaceId?: string }) => Promise<Hook>
  /** Publishes that many events to `w` and waits for their dispatch; returns the ids of all rows, in order. */
  publish: (count: number, event?: { type?: string; agoMs?: number; workspaceId?: string }) => Promise<string[]>
  /** Ends every lease and delay. */
  lapse: () => Promise<void>
  /** Passes the sent messages, or the first `count`, to the consumer as one batch, and removes them from `sent`. */
  consume: (options?: { attempts?: number; waitedMs?: number; most?: number }) => Promise<HeldMessage[]>
}

/** For `publish`: longer ago than a first lease, and within the window of each tick. */
export const LOST_MS = 200_000

/** The receiver of one endpoint. */
export interface Hook {
  endpointId: string
  answer(answer: Answer): Promise<void>
  /** Answers the oldest stalled request. */
  answerOne(answer: Answer): Promise<void>
  arrivals(): Promise<Arrival[]>
  /** Unanswered requests, and their highest number. */
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
  // Without the actions of people, which each test makes to begin with.
  const keep = (level: string) => (fields: Record<string, unknown>, message: string) => {
    if (fields['auditId'] === undefined) log.push({ level, message, fields })
  }
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
      messagesPerPublish: options.messagesPerPublish,
    })
    const engine = createEngine({
      db: itsDb,
      queue,
      sender: createFetchSender(),
      secrets: TEST_KEYS,
      logger,
      urlPolicy: { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: 'any' },
      // Longer than a busy machine takes to respond: tests of time-outs set a shorter one for their endpoint.
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

/** An event id created that long ago; later calls return greater ids. */
export function eventIdFrom(agoMs: number): string {
  const id = newEventId()
  return firstEventIdAt(eventIdTime(id) - agoMs) + id.slice(17)
}

/** The result of each message. */
export function fates(messages: readonly HeldMessage[]): HeldMessage['fate'][] {
  return messages.map(({ fate }) => fate)
}

/** A batch for a consumer, whose messages record their results. */
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

/** The bodies of messages for rows after `moved` transitions, by default none. */
export function messagesFor(rows: readonly PendingEvent[], moves = 0): { outboxId: string; gen: number }[] {
  return rows.map(({ id, createdAt }) => ({ outboxId: id, gen: createdAt + moves }))
}
