// graphile-worker, with the settings of its page on performance: a local queue of 500, completions in batches. For
// latency (the flavour `latency`) without either, because both make a lone job wait.
import { Logger, type Runner, makeWorkerUtils, run } from 'graphile-worker'
import pg from 'pg'
import type { Open } from '../contender.ts'
import { batches, newId, payloadOf } from '../event.ts'
import { createPoster } from '../post.ts'

interface Webhook {
  id: string
  body: string
}

const logger = new Logger(() => (level, message) => {
  if (level === 'error') console.error(message)
})

export const open: Open = async ({ place, receiver, concurrency, flavour }) => {
  const pool = new pg.Pool({ connectionString: place, max: concurrency + 2 })
  const utils = await makeWorkerUtils({ pgPool: pool, logger })
  await utils.migrate()
  const poster = createPoster(receiver, concurrency)
  const payload = (index: number): Webhook => ({ id: newId(), body: payloadOf(index) })
  const batching =
    flavour === 'latency' ? {} : { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
  let runner: Runner | undefined
  return {
    async seed(events) {
      for (const batch of batches(events)) {
        await utils.addJobs(batch.map((index) => ({ identifier: 'webhook', payload: payload(index) })))
      }
    },
    async start() {
      runner = await run({
        preset: { worker: { concurrentJobs: concurrency, ...batching } },
        pgPool: pool,
        logger,
        noHandleSignals: true,
        taskList: {
          async webhook(job) {
            const { id, body } = job as Webhook
            await poster.post(id, body)
          },
        },
      })
    },
    async stop() {
      await runner?.stop()
    },
    async left() {
      const { rows } = await pool.query<{ count: string }>('select count(*) from graphile_worker.jobs')
      return Number(rows[0]?.count)
    },
    async publish(index) {
      const webhook = payload(index)
      await utils.addJob('webhook', webhook)
      return webhook.id
    },
    async close() {
      await utils.release()
      await pool.end()
      await poster.close()
    },
  }
}
