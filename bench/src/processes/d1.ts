// Deliveries on workerd's D1, measured by D1: see workloads/d1.ts. Publisher and consumer run here, where the queue between
// them is a list; D1 is called through wrangler's proxy.
import { CloudflareEventQueue, consumeBatch, createFetchSender, createQueuePolicy } from '@keepsend/adapter-cloudflare'
import { createEngine, migrateEngine, newEventId, silentLogger } from '@keepsend/engine'
import { type D1Binding, fromD1 } from '@keepsend/outbox/d1'
import { getPlatformProxy } from 'wrangler'
import { answerAndExit } from '../answer.ts'
import { BENCH_KEYS } from '../engine.ts'
import { type Meter, meterD1 } from '../d1-meter.ts'
import { textOf } from '../event.ts'
import type { D1Ask, D1Found } from '../workloads/d1.ts'

process.stdin.resume().once('end', () => process.exit(1))

const { configPath, receiver, history, batches, batchSizes } = JSON.parse(process.argv[2] ?? '{}') as D1Ask
const proxy = await getPlatformProxy<{ DB: D1Binding }>({ configPath, persist: false })
const { d1, meter } = meterD1(proxy.env.DB)
const db = fromD1(d1)
await migrateEngine(db)

const sent: unknown[] = []
const queue = new CloudflareEventQueue({
  queue: {
    async sendBatch(messages) {
      sent.push(...[...messages].map(({ body }) => body))
    },
  },
})
const engine = createEngine({
  db,
  queue,
  sender: createFetchSender(),
  secrets: BENCH_KEYS,
  history,
  logger: silentLogger,
  // No failure holds what follows.
  circuit: { failuresInRow: 1000, minAttempts: 1000 },
  urlPolicy: { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: 'any' },
})
const policy = createQueuePolicy({ engine, queue })
// A failed attempt is the last of its delivery.
await engine.endpoints.create('bench', { url: receiver, retrySchedule: [] })

/** D1's counts while this ran. */
async function metered(work: () => Promise<unknown>): Promise<Meter> {
  const before = { ...meter }
  await work()
  const since = (name: keyof Meter): number => meter[name] - before[name]
  return {
    rowsWritten: since('rowsWritten'),
    rowsRead: since('rowsRead'),
    statements: since('statements'),
    calls: since('calls'),
  }
}

async function publish(count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const dispatched: Promise<void>[] = []
    const event = { id: newEventId(), type: 'message.created', workspaceId: 'bench', data: { text: textOf(index) } }
    await engine.commit({ writes: [], events: [event], background: (work) => void dispatched.push(work) })
    await Promise.all(dispatched)
  }
}

async function consume(): Promise<void> {
  let unacknowledged = sent.length
  const messages = sent.splice(0).map((body) => ({
    body,
    attempts: 1,
    ack: () => void unacknowledged--,
    retry() {},
  }))
  await consumeBatch(policy, { queue: 'keepsend', messages })
  if (unacknowledged > 0) throw new Error(`${unacknowledged} messages were not acknowledged`)
}

const found: D1Found = []
for (const batchSize of batchSizes) {
  for (let number = 0; number < batches; number++) {
    const published = await metered(() => publish(batchSize))
    const consumed = await metered(consume)
    found.push({ batchSize, published, consumed })
  }
}
const { dispatched, due } = await engine.stats()
if (dispatched + due > 0) throw new Error(`${dispatched + due} deliveries are not settled`)
await proxy.dispose()
answerAndExit(found)
