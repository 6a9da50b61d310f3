import { expect } from 'vitest'
import { type Claim, claimDueEvents, nextDueEvent } from '../claim.ts'
import { type OutboxDatabase, onlyRow } from '../database.ts'
import { enqueueEvents } from '../enqueue.ts'
import { type OutboxEvent, firstEventIdAt, newEventId } from '../event.ts'
import { type ClaimRef, type PendingEvent, pendingEvents, readPendingEvents } from '../row.ts'
import type { Outcome } from '../outcome.ts'
import { failEvent } from '../settle.ts'
import { type Statement, sqlText } from '../statement.ts'

/** A fresh, migrated database, and a second connection to the same data. */
export interface OutboxDatabases {
  db: OutboxDatabase
  /** Another connection, from another process if possible; `db` itself if the data has a single owner. */
  rival: OutboxDatabase
  close(): Promise<void>
}

/** Declares one promise: `body` gets databases of its own. */
export type Holds = (promise: string, body: (databases: OutboxDatabases) => Promise<void>) => void

/** The time that these tests pass as `now`: far from the database's clock, so that a mix-up fails. */
export const T = 2_000_000_000_000
export const SECOND = 1000
export const MINUTE = 60_000

/** An event that is due at {@link T}. */
export function event(parts: Partial<OutboxEvent> = {}): OutboxEvent {
  return {
    eventId: newEventId(),
    endpointId: 'ep_1',
    workspaceId: 'ws_1',
    type: 'message.created',
    payload: '{"type":"message.created"}',
    due: T,
    ...parts,
  }
}

/** An event id whose time is `ms`. */
export function eventIdAt(ms: number): string {
  return firstEventIdAt(ms) + newEventId().slice(17)
}

/** Returns rows of one event with one payload. */
export function sharing(count: number, parts: Partial<OutboxEvent> = {}): OutboxEvent[] {
  const eventId = newEventId()
  return Array.from({ length: count }, (_, n) => event({ eventId, endpointId: `ep_${n + 1}`, ...parts }))
}

/** Counts the payloads that are stored once, and the rows that have their own. */
export async function storedPayloads(
  db: OutboxDatabase,
): Promise<{ once: number; inline: number; characters: number }> {
  const { rows } = await db.run<{ once: number; inline: number; characters: number }>(sqlText`
    select (select count(*) from keepsend_payloads) as "once", (select count(payload) from pending_events) as "inline",
      (select coalesce(sum(length(payload)), 0) from keepsend_payloads)
        + (select coalesce(sum(length(payload)), 0) from pending_events) as "characters"`)
  return onlyRow(rows)
}

/** Inserts `count` events and returns their row ids, in key order. */
export async function insertRows(
  db: OutboxDatabase,
  count: number,
  parts: Partial<OutboxEvent> = {},
): Promise<string[]> {
  const kept = await enqueueEvents(
    db,
    Array.from({ length: count }, () => event(parts)),
  )
  return kept.map(({ id }) => id).sort()
}

/** Inserts one event and claims it with a lease of a minute from `now`. */
export async function insertClaimed(db: OutboxDatabase, parts: Partial<OutboxEvent> = {}, now = T): Promise<Claim> {
  await insertRows(db, 1, parts)
  return claimOne(db, now)
}

/** Claims the one row that is due. */
export async function claimOne(db: OutboxDatabase, now = T): Promise<Claim> {
  const { claims } = await claimDueEvents(db, { limit: 2, leaseMs: MINUTE, now })
  expect(claims).toHaveLength(1)
  return claims[0] as Claim
}

/** Inserts a delivered row, as an earlier version left it, settled at `now`; returns its id. */
export async function insertCompleted(db: OutboxDatabase, now = T): Promise<string> {
  const claim = await insertClaimed(db)
  await failEvent(db, claim, { error: 'e', now })
  await db.run(sqlText`update pending_events set status = 'completed', last_error = null where id = ${claim.id}`)
  return claim.id
}

/** The current row, or undefined. */
export async function find(db: OutboxDatabase, id: string): Promise<PendingEvent | undefined> {
  const { rows } = await db.run(sqlText`select ${pendingEvents.all} from pending_events where id = ${id}`)
  return readPendingEvents(rows)[0]
}

/** Every row, in key order. */
export async function findAll(db: OutboxDatabase): Promise<PendingEvent[]> {
  const { rows } = await db.run(sqlText`select ${pendingEvents.all} from pending_events order by id`)
  return readPendingEvents(rows)
}

/** The current row; a missing one fails the test. */
export async function row(db: OutboxDatabase, id: string): Promise<PendingEvent> {
  const found = await find(db, id)
  if (!found) throw new Error(`row ${id} is gone`)
  return found
}

/** The row's id and current `gen`, as in a message or a claim. */
export async function refOf(db: OutboxDatabase, id: string): Promise<ClaimRef> {
  const { gen } = await row(db, id)
  return { id, gen }
}

/** The ids and current `gen`s of these rows. */
export async function refsOf(db: OutboxDatabase, ids: readonly string[]): Promise<ClaimRef[]> {
  const refs: ClaimRef[] = []
  for (const id of ids) refs.push(await refOf(db, id))
  return refs
}

/** The same row, its `gen` as the number of moves since its insert: 0 for a new row, 1 for one claimed once. */
export function moved<R extends Pick<PendingEvent, 'gen' | 'createdAt'>>(one: R): R {
  return { ...one, gen: one.gen - one.createdAt }
}

/** Every way to settle a claim. */
export function everyOutcome(claim: ClaimRef): Outcome[] {
  return [
    { settle: 'complete', claim },
    { settle: 'fail', claim, error: 'stale' },
    { settle: 'reschedule', claim, delayMs: 5, error: 'stale' },
    { settle: 'reschedule', claim, delayMs: 5, deferral: true },
    { settle: 'hold', claim, reason: 'stale' },
    { settle: 'release', claim },
  ]
}

/** The database's clock. */
export async function databaseNow(db: OutboxDatabase): Promise<number> {
  return (await nextDueEvent(db)).now
}

/** Resolves when the database's clock has passed a time. */
export async function clockPast(db: OutboxDatabase, time: number): Promise<void> {
  while ((await databaseNow(db)) <= time);
}

/** The same database, which counts statements and transactions. */
export function counted(db: OutboxDatabase): { db: OutboxDatabase; count: { statements: number; commits: number } } {
  const count = { statements: 0, commits: 0 }
  return {
    count,
    db: {
      dialect: db.dialect,
      run<R extends object>(statement: Statement) {
        count.statements += 1
        count.commits += 1
        return db.run<R>(statement)
      },
      atomic(statements) {
        count.statements += statements.length
        count.commits += 1
        return db.atomic(statements)
      },
    },
  }
}

/** The row of an unchanged claim, with the columns that a claim does not return. */
export function rowOf(claim: Claim | PendingEvent | undefined): object {
  return { ...claim, ready: 0, holdReason: null, heldAt: null, completedAt: null }
}
