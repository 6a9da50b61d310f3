import { reset } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import {
  CloudflareEventQueue,
  type QueueBinding,
  type QueuePolicy,
  type QueuePolicyOptions,
  createFetchSender,
  createQueuePolicy,
} from '../../src/index.ts'
import { type Engine, type EngineOptions, type Logger, createEngine, migrate } from '@keepsend/engine'
import { type OutboxDatabase, type PendingEvent, ROW_COLUMNS, newEventId, raw, sqlText } from '@keepsend/outbox'
import { fromD1 } from '@keepsend/outbox/d1'
import { inject } from 'vitest'
import type { Answer, Arrival } from './receiver.ts'

/** What a queue was given. */
export interface Sent {
  body: unknown
  delaySeconds?: number
}

/** A message in a consumer's hands, and what became of it. */
export interface HeldMessage {
  body: unknown
  attempts: number
  ack(): void
  retry(options?: { delaySeconds?: number }): void
  /** The first of the two counts, as on the platform. */
  fate: undefined | 'ack' | { retryAfter: number | undefined }
}

export interface RigOptions {
  engine?: Partial<EngineOptions>
  policy?: QueuePolicyOptions
  /** Stands between Keepsend and D1. */
  wrap?: (db: OutboxDatabase) => OutboxDatabase
  /** Stands in for the queue; otherwise what is sent is kept in `sent` and reaches nobody. */
  queue?: QueueBinding
}

export interface Rig {
  db: OutboxDatabase
  engine: Engine
  policy: QueuePolicy
  /** Messages sent to the queue, in order. Nothing consumes them but the test. */
  sent: Sent[]
  log: { level: string; message: string; fields: Record<string, unknown> }[]
  rows: () => Promise<PendingEvent[]>
  /** An endpoint of workspace `w` that wants everything, at a path of its own. */
  addEndpoint: (answer?: Answer) => Promise<Hook>
  /** Publishes that many events to `w` and waits for their hand-off; the ids of the rows, in order. */
  publish: (count: number) => Promise<string[]>
}

/** One endpoint's side of the world. */
export interface Hook {
  endpointId: string
  answer(answer: Answer): Promise<void>
  arrivals(): Promise<Arrival[]>
  open(): Promise<number>
}

/** An engine on a fresh D1 database, with the parts of one queue around it. */
export async function rig(options: RigOptions = {}): Promise<Rig> {
  await reset()
  const plain = fromD1(env.DB)
  await migrate(plain)
  const db = options.wrap?.(plain) ?? plain
  const sent: Sent[] = []
  const log: Rig['log'] = []
  const keep = (level: string) => (fields: Record<string, unknown>, message: string) =>
    void log.push({ level, message, fields })
  const logger: Logger = { info: keep('info'), warn: keep('warn'), error: keep('error') }
  const binding: QueueBinding = options.queue ?? {
    sendBatch: async (messages) => void sent.push(...messages),
  }
  const queue = new CloudflareEventQueue({ queue: binding, sendTimeoutMs: 1000 })
  const engine = createEngine({
    db,
    queue,
    sender: createFetchSender(),
    logger,
    urlPolicy: { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: 'any' },
    deadlineMs: 1000,
    maxDeadlineMs: 2000,
    random: () => 0,
    ...options.engine,
  })
  return {
    db,
    engine,
    policy: createQueuePolicy({ engine, queue }, options.policy),
    sent,
    log,
    async rows() {
      const { rows } = await plain.run(sqlText`select ${raw(ROW_COLUMNS)} from pending_events order by id`)
      return rows as unknown as PendingEvent[]
    },
    async addEndpoint(answer = { status: 200 }) {
      const url = `${inject('receiver')}/hook/${crypto.randomUUID()}`
      const { endpoint, secret } = await engine.endpoints.create('w', { url })
      const tell = async (next: Answer): Promise<void> => {
        await fetch(url, { method: 'PUT', body: JSON.stringify({ ...next, secret }) })
      }
      const look = async (): Promise<{ arrivals: Arrival[]; open: number }> => (await fetch(url)).json()
      await tell(answer)
      return {
        endpointId: endpoint.id,
        answer: tell,
        arrivals: async () => (await look()).arrivals,
        open: async () => (await look()).open,
      }
    },
    async publish(count) {
      const events = Array.from({ length: count }, (_, n) => ({
        id: newEventId(),
        type: 'message.created',
        workspaceId: 'w',
        data: { n },
      }))
      const handedOff: Promise<void>[] = []
      await engine.commit({ writes: [], events, background: (work) => void handedOff.push(work) })
      await Promise.all(handedOff)
      const { rows } = await plain.run(sqlText`select id from pending_events order by id`)
      return rows.map(({ id }) => String(id))
    },
  }
}

/** A batch as the platform hands it to a consumer, whose messages remember what became of them. */
export function batchOf(
  bodies: readonly unknown[],
  options: { attempts?: number; queue?: string } = {},
): { queue: string; messages: HeldMessage[] } {
  const { attempts = 1, queue = 'keepsend' } = options
  const messages = bodies.map((body): HeldMessage => {
    const message: HeldMessage = {
      body,
      attempts,
      fate: undefined,
      ack: () => void (message.fate ??= 'ack'),
      retry: (how) => void (message.fate ??= { retryAfter: how?.delaySeconds }),
    }
    return message
  })
  return { queue, messages }
}

/** The bodies of messages for rows, as they were at their first send. */
export function messagesFor(ids: readonly string[], gen = 0): { outboxId: string; gen: number }[] {
  return ids.map((outboxId) => ({ outboxId, gen }))
}
