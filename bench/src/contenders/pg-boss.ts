// pg-boss: batches of 100 in four workers that fetch without a pause while batches are full, each sending its share of
// the requests concurrently. With the flavour `latency` one worker, notified by NOTIFY, which takes all waiting jobs:
// each notification reaches every worker, and further workers would only fetch in vain.
import { type Job, PgBoss } from 'pg-boss'
import type { Open } from '../contender.ts'
import { batches, newId, payloadOf } from '../event.ts'
import { createPoster } from '../post.ts'

interface Webhook {
  id: string
  body: string
}

const QUEUE = 'webhooks'
const WORKERS = 4

export const open: Open = async ({ place, receiver, concurrency, flavour }) => {
  const boss = new PgBoss({ connectionString: place, useListenNotify: flavour === 'latency' })
  boss.on('error', (error) => console.error(error))
  await boss.start()
  await boss.createQueue(QUEUE, { notify: flavour === 'latency' })
  const poster = createPoster(receiver, concurrency)
  const data = (index: number): Webhook => ({ id: newId(), body: payloadOf(index) })

  async function sendAll(jobs: Job<Webhook>[]): Promise<void> {
    const waiting = jobs.values()
    const lanes = Math.max(1, Math.floor(concurrency / WORKERS))
    await Promise.all(
      Array.from({ length: lanes }, async () => {
        for (const job of waiting) await poster.post(job.data.id, job.data.body)
      }),
    )
  }

  const many = { batchSize: 100, localConcurrency: WORKERS, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 }
  const soon = { ...many, localConcurrency: 1, notifyPollingIntervalSeconds: 0.5 }
  return {
    async seed(events) {
      for (const batch of batches(events)) {
        await boss.insert(
          QUEUE,
          batch.map((index) => ({ data: data(index) })),
        )
      }
    },
    async start() {
      await boss.work<Webhook>(QUEUE, flavour === 'latency' ? soon : many, sendAll)
    },
    stop: () => boss.offWork(QUEUE, { wait: true }),
    async left() {
      const { rows } = await boss
        .getDb()
        .executeSql(`select count(*) from pgboss.job where name = $1 and state <> 'completed'`, [QUEUE])
      return Number(rows[0].count)
    },
    async publish(index) {
      const webhook = data(index)
      await boss.send(QUEUE, webhook)
      return webhook.id
    },
    async close() {
      await boss.stop({ graceful: false })
      await poster.close()
    },
  }
}
