import { reset } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { createEngine, migrateEngine, newSecret } from '@keepsend/engine'
import { type ContractReceiver, eventQueueContract } from '@keepsend/engine/testing'
import { type OutboxDatabase, lookAtLanes } from '@keepsend/outbox'
import { fromD1 } from '@keepsend/outbox/d1'
import { expect, inject } from 'vitest'
import {
  CloudflareEventQueue,
  InlineEventQueue,
  type QueueBinding,
  type QueueMessage,
  consumeBatch,
  createFetchSender,
  createQueuePolicy,
  sweep,
} from '../../src/index.ts'
import type { Arrival } from './receiver.ts'

eventQueueContract('CloudflareEventQueue on D1', async (settings) => {
  const db = await freshDatabase()
  const carried = carrier()
  const queue = new CloudflareEventQueue({ queue: carried.binding })
  const engine = createEngine({ db, queue, sender: createFetchSender(), ...settings })
  const policy = createQueuePolicy({ engine, queue })
  return {
    db,
    engine,
    queue,
    receiver,
    async drain() {
      carried.redeliver()
      for (;;) {
        const messages = carried.take(policy.maxBatchSize)
        if (messages.length > 0) await consumeBatch(policy, { queue: 'keepsend', messages })
        else if ((await sweep(policy)).redispatched === 0) return
      }
    },
    close: async () => {},
  }
})

eventQueueContract('InlineEventQueue on D1', async (settings) => {
  const db = await freshDatabase()
  const queue = new InlineEventQueue()
  const engine = createEngine({ db, queue, sender: createFetchSender(), ...settings })
  queue.start(engine)
  return {
    db,
    engine,
    queue,
    receiver,
    async drain() {
      do await queue.sweep()
      while (await isDue(db))
    },
    close: async () => {},
  }
})

async function freshDatabase(): Promise<OutboxDatabase> {
  await reset()
  const db = fromD1(env.DB)
  await migrateEngine(db)
  return db
}

/** Whether rows may be sent now. */
async function isDue(db: OutboxDatabase): Promise<boolean> {
  const { now, dueAt, lanes } = await lookAtLanes(db)
  return lanes.length > 0 || (dueAt !== null && dueAt <= now)
}

/**
 * Passes the messages of a queue to a consumer, as the platform does: in order, after their delays, and again if they were
 * neither acknowledged nor retried. Messages that the consumer retries come with the next `redeliver`.
 */
function carrier(): { binding: QueueBinding; take: (most: number) => QueueMessage[]; redeliver: () => void } {
  interface Carried {
    body: unknown
    from: number
    attempts: number
  }
  const waiting: Carried[] = []
  const later: Carried[] = []
  return {
    binding: {
      async sendBatch(messages) {
        for (const { body, delaySeconds = 0 } of messages) {
          // The platform carries JSON, not the object.
          waiting.push({ body: JSON.parse(JSON.stringify(body)), from: Date.now() + delaySeconds * 1000, attempts: 1 })
        }
      },
    },
    redeliver: () => void waiting.push(...later.splice(0)),
    take(most) {
      const taken = waiting.filter(({ from }) => from <= Date.now()).slice(0, most)
      for (const one of taken) waiting.splice(waiting.indexOf(one), 1)
      return taken.map(({ body, attempts }) => {
        let open = true
        const first = (then: () => void) => () => {
          if (open) then()
          open = false
        }
        return {
          body,
          attempts,
          ack: first(() => {}),
          retry: first(() => void later.push({ body, from: 0, attempts: attempts + 1 })),
        }
      })
    },
  }
}

/** A path of its own at the receiver that runs beside workerd. */
async function receiver(): Promise<ContractReceiver> {
  const url = `${inject('receiver')}/hook/${crypto.randomUUID()}`
  const secret = newSecret()
  const answer: ContractReceiver['answer'] = async (how) => {
    const status = how === 'hold' ? 'never' : how
    await fetch(url, { method: 'PUT', body: JSON.stringify({ status, secret }) })
  }
  await answer(200)
  return {
    url,
    secret,
    answer,
    async arrivals() {
      const { arrivals } = await (await fetch(url)).json<{ arrivals: Arrival[] }>()
      expect(arrivals.every(({ verified }) => verified)).toBe(true)
      return arrivals
    },
  }
}
