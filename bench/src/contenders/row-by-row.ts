// The floor of durable enqueue: an app without group commit. One prepared insert into the outbox's own table, one
// commit each, on SQLite with FULL. Nothing is sent.
import { join } from 'node:path'
import { migrate, openSqlite } from '@keepsend/adapter-node'
import { newEventId, outboxStats } from '@keepsend/outbox'
import type { Open } from '../contender.ts'
import { payloadOf } from '../event.ts'

export const open: Open = async ({ place }) => {
  const db = openSqlite(join(place, 'bench.db'))
  await migrate(db)
  const insert = db.connection.prepare(
    `insert into pending_events (id, workspace_id, event_type, endpoint_id, due_at, ready, gen, created_at, payload)
    values (?, 'bench', 'message.created', 'ep_bench', ?, 1, ?, ?, ?)`,
  )
  const publish = async (index: number): Promise<string> => {
    const eventId = newEventId()
    const now = Date.now()
    insert.run(`${eventId}.ep_bench`, now, now, now, payloadOf(index))
    return eventId
  }
  return {
    async seed(events) {
      for (let index = 0; index < events; index++) await publish(index)
    },
    start: () => Promise.reject(new Error('inserts alone send nothing')),
    async stop() {},
    left: async () => (await outboxStats(db)).due,
    publish,
    async close() {
      db.close()
    },
  }
}
