// plainjob: jobs in SQLite. A worker takes one job at a time, so there are as many workers as concurrent requests. It
// sets synchronous=NORMAL; set to FULL afterwards, for equal durability.
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { JobStatus, type Worker, better, defineQueue, defineWorker } from 'plainjob'
import type { Open } from '../contender.ts'
import { batches, newId, payloadOf } from '../event.ts'
import { createPoster } from '../post.ts'

const silent = { error: console.error, warn: console.error, info() {}, debug() {} }
// The wait of an idle worker; its default is a second.
const POLL_MS = 50

export const open: Open = async ({ place, receiver, concurrency }) => {
  const connection = new Database(join(place, 'bench.db'))
  const queue = defineQueue({ connection: better(connection), logger: silent })
  connection.pragma('synchronous = FULL')
  const poster = createPoster(receiver, concurrency)
  const job = (index: number) => ({ id: newId(), body: payloadOf(index) })
  let workers: Worker[] = []
  let running: Promise<unknown> = Promise.resolve()
  return {
    async seed(events) {
      for (const batch of batches(events)) queue.addMany('webhook', batch.map(job))
    },
    async start() {
      workers = Array.from({ length: concurrency }, () =>
        defineWorker(
          'webhook',
          async ({ data }) => {
            const { id, body } = JSON.parse(data) as { id: string; body: string }
            await poster.post(id, body)
          },
          { queue, pollIntervall: POLL_MS, logger: silent },
        ),
      )
      running = Promise.all(workers.map((worker) => worker.start()))
    },
    async stop() {
      await Promise.all(workers.map((worker) => worker.stop()))
      await running
    },
    left: async () =>
      queue.countJobs({ type: 'webhook', status: JobStatus.Pending }) +
      queue.countJobs({ type: 'webhook', status: JobStatus.Processing }) +
      queue.countJobs({ type: 'webhook', status: JobStatus.Failed }),
    async publish(index) {
      const data = job(index)
      queue.add('webhook', data)
      return data.id
    },
    async close() {
      queue.close()
      await poster.close()
    },
  }
}
