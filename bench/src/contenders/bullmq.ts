// BullMQ on a Redis whose appendfsync is the store's. One worker with its documented `concurrency`; completed jobs are
// removed, as its guide for production says.
import { Queue, Worker } from 'bullmq'
import type { Open } from '../contender.ts'
import { batches, newId, payloadOf } from '../event.ts'
import { createPoster } from '../post.ts'

interface Webhook {
  id: string
  body: string
}

export const open: Open = async ({ place, receiver, concurrency }) => {
  const { hostname: host, port } = new URL(place)
  const connection = { host, port: Number(port), maxRetriesPerRequest: null }
  const defaultJobOptions = { removeOnComplete: true }
  const queue = new Queue<Webhook>('webhooks', { connection, defaultJobOptions })
  await queue.waitUntilReady()
  const poster = createPoster(receiver, concurrency)
  const data = (index: number): Webhook => ({ id: newId(), body: payloadOf(index) })
  let worker: Worker<Webhook> | undefined
  return {
    async seed(events) {
      for (const batch of batches(events)) {
        await queue.addBulk(batch.map((index) => ({ name: 'webhook', data: data(index) })))
      }
    },
    async start() {
      worker = new Worker<Webhook>('webhooks', (job) => poster.post(job.data.id, job.data.body), {
        connection,
        concurrency,
      })
      worker.on('error', (error) => console.error(error))
    },
    async stop() {
      await worker?.close()
    },
    async left() {
      const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'failed')
      return Object.values(counts).reduce((sum, count) => sum + count, 0)
    },
    async publish(index) {
      const webhook = data(index)
      await queue.add('webhook', webhook)
      return webhook.id
    },
    async close() {
      await queue.close()
      await poster.close()
    },
  }
}
