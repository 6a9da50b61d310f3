// Keepsend as it is meant to be used: an engine, its poller, the guarded sender. The flavour is SQLite's durability
// (FULL or NORMAL), or `postgres`.
import { join } from 'node:path'
import {
  DurableEventQueue,
  createHmacSigner,
  createUndiciSender,
  migrate,
  openPostgres,
  openSqlite,
} from '@keepsend/adapter-node'
import { createEngine } from '@keepsend/engine'
import { enqueueEvents, newEventId } from '@keepsend/outbox'
import type { Open } from '../contender.ts'
import { batches, payloadOf, textOf } from '../event.ts'

export const open: Open = async ({ place, receiver, concurrency, flavour }) => {
  const db =
    flavour === 'postgres'
      ? await openPostgres({ url: place })
      : openSqlite(join(place, 'bench.db'), { synchronous: flavour === 'NORMAL' ? 'NORMAL' : 'FULL' })
  await migrate(db)
  const queue = new DurableEventQueue({ db, concurrency })
  const urlPolicy = { allowHttp: true, allowCidrs: ['127.0.0.0/8'], allowPorts: 'any' } as const
  const sender = createUndiciSender({ urlPolicy })
  const engine = createEngine({ db, queue, sender, signer: createHmacSigner() })
  const [known] = await engine.endpoints.list('bench', { limit: 1 })
  const endpoint = known ?? (await engine.endpoints.create('bench', { url: receiver })).endpoint
  return {
    async seed(events) {
      for (const batch of batches(events)) {
        await enqueueEvents(
          db,
          batch.map((index) => ({
            eventId: newEventId(),
            endpointId: endpoint.id,
            workspaceId: 'bench',
            type: 'message.created',
            payload: payloadOf(index),
          })),
        )
      }
    },
    start: () => queue.start(engine),
    stop: () => queue.stop(),
    async left() {
      const { due, failed, inFlight, scheduled, held } = await engine.stats()
      return due + failed + inFlight + scheduled + held
    },
    async publish(index) {
      const id = newEventId()
      const data = { index, text: textOf(index) }
      await engine.commit({ writes: [], events: [{ id, type: 'message.created', workspaceId: 'bench', data }] })
      return id
    },
    async close() {
      await sender.close()
      await db.close()
    },
  }
}
