import type { SQL } from 'drizzle-orm'
import type { OutboxDatabase } from './database.ts'
import { type OutboxEvent, checkEvent } from './event.ts'
import { insertManyStatement, insertStatement } from './insert.ts'
import { rowId } from './row-id.ts'
import { toDrizzle } from './statement.ts'

/** What became of one event: `'exists'` when its row was there already, which is how a repeat ends well. */
export interface Enqueued {
  id: string
  result: 'inserted' | 'exists'
}

/**
 * Keeps one event: its row is committed when this resolves.
 *
 * @throws {OutboxError} `invalid_event` before anything is written; `not_accepted` when the database refused.
 */
export async function enqueueEvent(db: OutboxDatabase, event: OutboxEvent): Promise<Enqueued> {
  checkEvent(event)
  const { changes } = await db.run(insertStatement(event))
  return { id: rowId(event.eventId, event.endpointId), result: changes > 0 ? 'inserted' : 'exists' }
}

/** Keeps many events in one atomic unit: all of them or, if one is invalid or the database refuses, none. */
export async function enqueueEvents(db: OutboxDatabase, events: readonly OutboxEvent[]): Promise<Enqueued[]> {
  if (events.length === 0) return []
  for (const event of events) checkEvent(event)
  const parts = inParts(events)
  const results = await db.atomic(
    parts.map((part) => (part.length === 1 ? insertStatement(part[0]) : insertManyStatement(db.dialect, part))),
  )
  const inserted = new Set(
    parts.flatMap(([first, ...others], index) => {
      const { rows = [], changes = 0 } = results[index] ?? {}
      if (others.length > 0) return rows.map((row) => row['id'])
      return changes > 0 ? [rowId(first.eventId, first.endpointId)] : []
    }),
  )
  return events.map((event) => {
    const id = rowId(event.eventId, event.endpointId)
    // `delete`: the same event twice in one call was inserted by the first of the two.
    return { id, result: inserted.delete(id) ? 'inserted' : 'exists' }
  })
}

// Many events are one JSON text. D1 binds at most 2,000,000 bytes in one value, and JSON makes six of the worst
// character. A single event is bound as it is.
const MAX_PART_CHARACTERS = 300_000

/** One part is one statement: all of them, unless the payloads are large. */
function inParts(events: readonly OutboxEvent[]): [OutboxEvent, ...OutboxEvent[]][] {
  const parts: [OutboxEvent, ...OutboxEvent[]][] = []
  let room = 0
  for (const event of events) {
    room -= event.payload.length
    const part = parts.at(-1)
    if (part && room >= 0) part.push(event)
    else {
      parts.push([event])
      room = MAX_PART_CHARACTERS - event.payload.length
    }
  }
  return parts
}

/**
 * The same insert, unexecuted, for a transaction of your own: `tx.run(statement)` in drizzle, an item of D1's
 * `batch`, or `toSql(statement, dialect)` for any other driver. One text serves SQLite, D1 and Postgres.
 *
 * @example
 * orm.transaction((tx) => {
 *   tx.insert(orders).values(order).run()
 *   tx.run(enqueueEventStatement({ eventId: newEventId(), workspaceId, type: 'order.placed', payload }))
 * })
 */
export function enqueueEventStatement(event: OutboxEvent): SQL {
  checkEvent(event)
  return toDrizzle(insertStatement(event))
}
