// One round of durable enqueue: so many callers at once, each awaiting its own row's commit.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate, openSqlite } from '@keepsend/adapter-node'
import { enqueueEvent } from '@keepsend/outbox'
import { WARM_UP, eventFor, timed } from './work.ts'

const [how = '', count = '', callers = ''] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'keepsend-bench-'))
try {
  const db = openSqlite(join(folder, 'bench.db'))
  await migrate(db)
  const enqueue = async (many: number): Promise<number> => {
    const rows = Array.from({ length: many }, (_, index) => eventFor('ep_bench', index))
    let next = 0
    return timed(async () => {
      if (how === 'row-by-row') {
        // What an app does without group commit: one prepared insert, one commit each.
        const insert = db.connection.prepare(
          `insert into pending_events (id, workspace_id, event_type, endpoint_id, due_at, created_at, payload)
          values (?, ?, ?, ?, ?, ?, ?)`,
        )
        for (const row of rows) {
          const now = Date.now()
          insert.run(
            `${row.eventId}.${row.endpointId}`,
            row.workspaceId,
            row.type,
            row.endpointId,
            now,
            now,
            row.payload,
          )
        }
        return
      }
      await Promise.all(
        Array.from({ length: Number(callers) }, async () => {
          for (let row = rows[next++]; row; row = rows[next++]) await enqueueEvent(db, row)
        }),
      )
    })
  }
  await enqueue(WARM_UP / 5)
  const ms = await enqueue(Number(count))
  db.close()
  console.log(JSON.stringify({ ms }))
} finally {
  rmSync(folder, { recursive: true })
}
