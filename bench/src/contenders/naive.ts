// The usual first version in an app: a drizzle table, a loop that selects a batch, `fetch` for each row, an update of
// each row. On SQLite with FULL; indexed, so that no table scan is measured.
import { createHmac } from 'node:crypto'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { asc, eq, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { Open } from '../contender.ts'
import { batches, newId, payloadOf } from '../event.ts'

const outbox = sqliteTable(
  'outbox',
  {
    id: text().primaryKey(),
    status: text().notNull().default('pending'),
    createdAt: integer('created_at').notNull(),
    payload: text().notNull(),
  },
  (table) => [index('outbox_status_created').on(table.status, table.createdAt)],
)
const IDLE_MS = 50

export const open: Open = async ({ place, receiver, concurrency }) => {
  const connection = new Database(join(place, 'bench.db'))
  connection.pragma('journal_mode = WAL')
  connection.pragma('synchronous = FULL')
  connection.exec(`
    create table if not exists outbox (id text primary key, status text not null default 'pending',
      created_at integer not null, payload text not null);
    create index if not exists outbox_status_created on outbox (status, created_at)`)
  const orm = drizzle({ client: connection })
  let stopping = new AbortController()
  let loop: Promise<void> = Promise.resolve()

  async function deliver({ id, payload }: { id: string; payload: string }): Promise<void> {
    const timestamp = String(Math.floor(Date.now() / 1000))
    const signature = createHmac('sha256', 'secret').update(`${id}.${timestamp}.${payload}`).digest('base64')
    const headers = {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    }
    const response = await fetch(receiver, { method: 'POST', headers, body: payload })
    await response.arrayBuffer()
    if (response.ok) orm.update(outbox).set({ status: 'sent' }).where(eq(outbox.id, id)).run()
  }

  async function run({ signal }: AbortController): Promise<void> {
    while (!signal.aborted) {
      const due = orm
        .select({ id: outbox.id, payload: outbox.payload })
        .from(outbox)
        .where(eq(outbox.status, 'pending'))
        .orderBy(asc(outbox.createdAt))
        .limit(concurrency)
        .all()
      if (due.length === 0) await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
      await Promise.all(due.map(deliver))
    }
  }

  const row = (at: number) => ({ id: newId(), createdAt: Date.now(), payload: payloadOf(at) })
  return {
    async seed(events) {
      for (const batch of batches(events)) orm.insert(outbox).values(batch.map(row)).run()
    },
    async start() {
      stopping = new AbortController()
      loop = run(stopping)
    },
    stop() {
      stopping.abort()
      return loop
    },
    async left() {
      const pending = eq(outbox.status, 'pending')
      return (
        orm
          .select({ count: sql<number>`count(*)` })
          .from(outbox)
          .where(pending)
          .get()?.count ?? 0
      )
    },
    async publish(at) {
      const values = row(at)
      orm.insert(outbox).values(values).run()
      return values.id
    },
    async close() {
      connection.close()
    },
  }
}
