import type { SQL } from 'drizzle-orm'
import { type OutboxDatabase, onlyRow } from './database.ts'
import type { Dialect, Payload } from './dialect.ts'
import { type OutboxEvent, checkEvent } from './event.ts'
import { type RowsToInsert, insertManyStatements, insertStatement } from './insert.ts'
import { maxInlineRows } from './payload.ts'
import { rowId } from './row-id.ts'
import { toDrizzle } from './statement.ts'
import { Transaction } from './transaction.ts'

/** The result for one event: `'exists'` when its row was there already, so a repeated insert succeeds. */
export interface EnqueueResult {
  id: string
  result: 'inserted' | 'exists'
}

/**
 * Inserts one event. Its row is committed when this resolves.
 *
 * @throws {OutboxError} `invalid_event` before anything is written; `not_accepted` when the database refused.
 */
export async function enqueueEvent(db: OutboxDatabase, event: OutboxEvent): Promise<EnqueueResult> {
  checkEvent(event)
  if (maxInlineRows(db.dialect, event.payload) === 0) return onlyRow(await enqueueEvents(db, [event]))
  const { changes } = await db.run(insertStatement(event))
  return { id: rowId(event.eventId, event.endpointId), result: changes > 0 ? 'inserted' : 'exists' }
}

/**
 * Inserts many events in one transaction: all of them or, if one is invalid or the database refuses, none. More than
 * three rows of one event with the same payload share it, and on SQLite a payload of more than 1,000 bytes is stored
 * beside its rows.
 */
export async function enqueueEvents(db: OutboxDatabase, events: readonly OutboxEvent[]): Promise<EnqueueResult[]> {
  if (events.length === 0) return []
  for (const event of events) checkEvent(event)
  const transaction = new Transaction()
  const ids = inParts(db.dialect, events).map((part) => addInsert(transaction, db.dialect, part))
  await transaction.commit(db)
  const inserted = new Set(ids.flatMap((of) => of()))
  return events.map((event) => {
    const id = rowId(event.eventId, event.endpointId)
    // `delete`: the same event twice in one call was inserted by the first of the two.
    return { id, result: inserted.delete(id) ? 'inserted' : 'exists' }
  })
}

// Many events are passed as one JSON text. D1 binds at most 2,000,000 bytes in one value, and JSON escapes the worst
// character in six bytes. A single event is bound without JSON.
const MAX_PART_CHARACTERS = 300_000

interface Part extends RowsToInsert {
  events: { event: OutboxEvent; place: number | null }[]
  payloads: Payload[]
}

/** One part is one insert. There is one part unless the payloads are large. */
function inParts(dialect: Dialect, events: readonly OutboxEvent[]): Part[] {
  const parts: Part[] = []
  let room = 0
  const partFor = ({ payload }: OutboxEvent): Part => {
    room -= payload.length
    const last = parts.at(-1)
    if (last && room >= 0) return last
    room = MAX_PART_CHARACTERS - payload.length
    const part = { events: [], payloads: [] }
    parts.push(part)
    return part
  }
  for (const [first, ...others] of byPayload(events)) {
    if (others.length + 1 > maxInlineRows(dialect, first.payload)) {
      const part = partFor(first)
      const place = part.payloads.push(first)
      part.events.push({ event: first, place })
      for (const event of others) part.events.push({ event, place })
    } else for (const event of [first, ...others]) partFor(event).events.push({ event, place: null })
  }
  return parts
}

/** Groups the events that have the same payload and the same event id. */
function byPayload(events: readonly OutboxEvent[]): [OutboxEvent, ...OutboxEvent[]][] {
  const byEvent = Map.groupBy(events, ({ eventId }) => eventId)
  const groups = [...byEvent.values()].flatMap((some) =>
    some.length === 1 ? [some] : [...Map.groupBy(some, ({ payload }) => payload).values()],
  )
  return groups as [OutboxEvent, ...OutboxEvent[]][]
}

/** @returns a function to call after the commit, which returns the ids of new rows */
function addInsert(transaction: Transaction, dialect: Dialect, part: Part): () => string[] {
  const [only, ...others] = part.events
  if (only && only.place === null && others.length === 0) {
    const inserted = transaction.add(insertStatement(only.event))
    return () => (inserted.changes > 0 ? [rowId(only.event.eventId, only.event.endpointId)] : [])
  }
  const { before, insert } = insertManyStatements(dialect, part)
  transaction.addAll(before)
  const inserted = transaction.add<{ id: string }>(insert)
  return () => inserted.rows.map(({ id }) => id)
}

/**
 * The same insert, unexecuted and with the payload in its row, for your own transaction: `tx.run(statement)` in
 * drizzle, an item of D1's `batch`, or `toSql(statement, dialect)` for any other driver. One text serves SQLite, D1 and
 * Postgres.
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
