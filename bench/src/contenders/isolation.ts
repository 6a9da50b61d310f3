// Keepsend with 100 endpoints that answer. The flavour is the URL of one more, which takes requests and never
// answers: `seed` makes it and fills its backlog. `publish` is for one of the 100, in turn.
import { join } from 'node:path'
import { migrate, openSqlite } from '@keepsend/adapter-node'
import type { Open } from '../contender.ts'
import { createBenchEngine } from '../engine.ts'

const HEALTHY = 100

export const open: Open = async ({ place, receiver, concurrency, flavour }) => {
  const db = openSqlite(join(place, 'bench.db'))
  await migrate(db)
  const { engine, queue, seed, publish, close } = createBenchEngine(db, concurrency)
  for (let number = 0; number < HEALTHY; number++) {
    await engine.endpoints.create(`w${number}`, { url: `${receiver}${number}` })
  }
  return {
    async seed(events) {
      const { endpoint } = await engine.endpoints.create('bench', { url: flavour })
      await seed([endpoint.id], events)
    },
    start: () => queue.start(engine),
    stop: () => queue.stop({ drainMs: 0 }),
    left: async () => (await engine.stats()).due,
    publish: (index) => publish(`w${index % HEALTHY}`, index),
    async close() {
      await close()
      db.close()
    },
  }
}
