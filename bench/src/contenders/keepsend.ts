// Keepsend as documented: an engine, its poller, the guarded sender. The flavour is SQLite's durability (FULL or
// NORMAL), or `postgres`; all endpoints are in one workspace.
import { join } from 'node:path'
import { migrate, openPostgres, openSqlite } from '@keepsend/adapter-node'
import type { Open } from '../contender.ts'
import { createBenchEngine } from '../engine.ts'

export const open: Open = async (setup) => {
  const { place, receiver, concurrency, flavour, endpoints = 1, payloadBytes: bytes, history } = setup
  const db =
    flavour === 'postgres'
      ? await openPostgres({ url: place })
      : openSqlite(join(place, 'bench.db'), { synchronous: flavour === 'NORMAL' ? 'NORMAL' : 'FULL' })
  await migrate(db)
  const { engine, queue, seed, publish, close } = createBenchEngine(db, { concurrency, history })
  const known = await engine.endpoints.list('bench', { limit: endpoints })
  const endpointIds = known.map(({ id }) => id)
  while (endpointIds.length < endpoints) {
    const { endpoint } = await engine.endpoints.create('bench', { url: `${receiver}${endpointIds.length}` })
    endpointIds.push(endpoint.id)
  }
  return {
    seed: (events) =>
      seed(
        endpointIds.map((endpointId) => ({ workspaceId: 'bench', endpointId })),
        events,
        { bytes },
      ),
    start: () => queue.start(engine),
    stop: () => queue.stop(),
    async left() {
      const { due, failed, inFlight, scheduled, held } = await engine.stats()
      return due + failed + inFlight + scheduled + held
    },
    publish: (index) => publish('bench', index),
    async close() {
      await close()
      await db.close()
    },
  }
}
