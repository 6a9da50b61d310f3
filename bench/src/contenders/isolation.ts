// Keepsend with 100 endpoints that answer. The flavour is the URL of one more, which takes requests and never
// answers: `seed` makes it and fills its backlog. `publish` is for one of the 100, in turn.
import { join } from 'node:path'
import { DurableEventQueue, createHmacSigner, createUndiciSender, migrate, openSqlite } from '@keepsend/adapter-node'
import { createEngine } from '@keepsend/engine'
import { enqueueEvents, newEventId } from '@keepsend/outbox'
import type { Open } from '../contender.ts'
import { batches, payloadOf, textOf } from '../event.ts'

const HEALTHY = 100

export const open: Open = async ({ place, receiver, concurrency, flavour }) => {
  const db = openSqlite(join(place, 'bench.db'))
  await migrate(db)
  const queue = new DurableEventQueue({ db, concurrency })
  const urlPolicy = { allowHttp: true, allowCidrs: ['127.0.0.0/8'], allowPorts: 'any' } as const
  const sender = createUndiciSender({ urlPolicy })
  const engine = createEngine({ db, queue, sender, signer: createHmacSigner() })
  for (let number = 0; number < HEALTHY; number++) {
    await engine.endpoints.create(`w${number}`, { url: `${receiver}${number}` })
  }
  return {
    async seed(events) {
      const { endpoint } = await engine.endpoints.create('hole', { url: flavour })
      for (const batch of batches(events)) {
        await enqueueEvents(
          db,
          batch.map((index) => ({
            eventId: newEventId(),
            endpointId: endpoint.id,
            workspaceId: 'hole',
            type: 'message.created',
            payload: payloadOf(index),
          })),
        )
      }
    },
    start: () => queue.start(engine),
    stop: () => queue.stop({ drainMs: 0 }),
    left: async () => (await engine.stats()).due,
    async publish(index) {
      const id = newEventId()
      const data = { index, text: textOf(index) }
      const workspaceId = `w${index % HEALTHY}`
      await engine.commit({ writes: [], events: [{ id, type: 'message.created', workspaceId, data }] })
      return id
    },
    async close() {
      await sender.close()
      db.close()
    },
  }
}
