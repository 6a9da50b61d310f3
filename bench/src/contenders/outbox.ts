// The outbox alone, for durable enqueue: `enqueueEvent` of @keepsend/outbox on SQLite with FULL. Nothing is sent.
import { join } from 'node:path'
import { migrate, openSqlite } from '@keepsend/adapter-node'
import { enqueueEvent, newEventId, outboxStats } from '@keepsend/outbox'
import type { Open } from '../contender.ts'
import { payloadOf } from '../event.ts'

export const open: Open = async ({ place }) => {
  const db = openSqlite(join(place, 'bench.db'))
  await migrate(db)
  const publish = async (index: number): Promise<string> => {
    const eventId = newEventId()
    const row = { workspaceId: 'bench', type: 'message.created', payload: payloadOf(index) }
    await enqueueEvent(db, { eventId, endpointId: 'ep_bench', ...row })
    return eventId
  }
  return {
    async seed(events) {
      for (let index = 0; index < events; index++) await publish(index)
    },
    start: () => Promise.reject(new Error('the outbox alone sends nothing')),
    async stop() {},
    left: async () => (await outboxStats(db)).due,
    publish,
    async close() {
      db.close()
    },
  }
}
