import type { OptionNames } from './options.ts'
import { type OutboxDatabase, onlyRow } from './database.ts'
import type { Dialect } from './dialect.ts'
import { checkBounds, checkNames } from './errors.ts'
import { type SqlText, clock, limitTo, sqlText } from './statement.ts'

// Of 500 bytes: to 3 receivers a publish takes 17.6 µs each with a copy in each row and 18.2 with one, to 10 it takes 8.1
// and 7.2 (measured).
export const MAX_INLINE_ROWS = 3

const SHORT_BYTES = 1000

/**
 * Rows of one event, at most, that hold this payload themselves; what has more stores it once.
 *
 * @param expectsFew see {@link insertSelectStatements}
 */
export function maxInlineRows(
  { inlinesLong }: Pick<Dialect, 'inlinesLong'>,
  payload: string,
  expectsFew = false,
): number {
  if (isLong(payload)) return inlinesLong ? MAX_INLINE_ROWS : 0
  // A short one may stand in any number of rows, where nobody counts them.
  return expectsFew ? Infinity : MAX_INLINE_ROWS
}

/** Every UTF-16 unit is at most 3 bytes: only a payload that could be too long is encoded, in a tenth of the time of a count. */
function isLong(payload: string): boolean {
  const { length } = payload
  return length > SHORT_BYTES || (length * 3 > SHORT_BYTES && encoder.encodeInto(payload, short).read < length)
}

const encoder = new TextEncoder()
const short = new Uint8Array(SHORT_BYTES)

export interface PayloadCleanupOptions {
  /** Payloads a statement: 1–10,000. @default 500 */
  batchSize?: number | undefined
  /** No further batch is begun after this many ms: 0–60,000. At least one batch runs. @default 200 */
  budgetMs?: number | undefined
  /** The time to go by, ms since the epoch. @default the database's clock */
  now?: number | undefined
  /** A clock for the budget, in ms. @default Date.now */
  elapsed?: (() => number) | undefined
}

export const PAYLOAD_CLEANUP_OPTIONS = {
  batchSize: 'number',
  budgetMs: 'number',
  now: 'number',
  elapsed: 'function',
} satisfies OptionNames<PayloadCleanupOptions>

// A pass looks at every payload. The next begins so long after it for each that stayed, at most an hour later: a
// million of them cost a pass of 2 s an hour, and where few stay a payload goes soon after its last row.
const REST_MS = 4
const MAX_REST_MS = 3_600_000

/**
 * Deletes payloads that are stored once and of whose event no row is left: each delivery is settled, and none is retained
 * for a replay. In bounded batches of a pass whose place is in the database, by the order in which they were stored.
 * `more`: the budget ended before the pass did.
 */
export async function cleanupPayloads(
  db: OutboxDatabase,
  options: PayloadCleanupOptions = {},
): Promise<{ deleted: number; more: boolean }> {
  checkNames('cleanupPayloads', PAYLOAD_CLEANUP_OPTIONS, options)
  const { batchSize = 500, budgetMs = 200, elapsed = Date.now } = options
  checkBounds('batchSize', batchSize, 1, 10_000)
  checkBounds('budgetMs', budgetMs, 0, 60_000)
  const place = await readPlace(db, options.now)
  const { now } = place
  const restMs = place.nextAt - now
  // A time further ahead than the longest rest was written by a clock that was wrong.
  if (place.afterId === null && restMs > 0 && restMs <= MAX_REST_MS) return { deleted: 0, more: false }
  const end = elapsed() + budgetMs
  let afterId = place.afterId ?? 0
  let kept = 0
  let deleted = 0
  let more = true
  while (more) {
    const step = await lookFrom(db, afterId, batchSize)
    if (step.lastId !== null) {
      const { changes } = await db.run(deleteUnusedStatement(db, { afterId, toId: step.lastId }))
      afterId = step.lastId
      kept += step.count - changes
      deleted += changes
    }
    more = step.count === batchSize
    if (more && elapsed() >= end) break
  }
  // Only now: a crash before it repeats the batches. Of two that clean up concurrently the later write wins.
  if (more || kept > 0 || place.afterId !== null) {
    const restFrom = place.afterId === null || restMs > MAX_REST_MS ? now : place.nextAt
    const nextAt = Math.min(restFrom + kept * REST_MS, now + MAX_REST_MS)
    await db.run(
      sqlText`update keepsend_sweep_pass set payloads_after_id = ${more ? afterId : null}, payloads_next_at = ${nextAt}`,
    )
  }
  return { deleted, more }
}

async function readPlace(
  db: OutboxDatabase,
  now: number | undefined,
): Promise<{ afterId: number | null; nextAt: number; now: number }> {
  const { rows } = await db.run<{ afterId: number | null; nextAt: number; now: number }>(sqlText`
    select payloads_after_id as "afterId", payloads_next_at as "nextAt", ${clock(now)} as "now" from keepsend_sweep_pass`)
  return onlyRow(rows)
}

async function lookFrom(
  db: OutboxDatabase,
  afterId: number,
  batchSize: number,
): Promise<{ lastId: number | null; count: number }> {
  const { rows } = await db.run<{ lastId: number | null; count: number }>(sqlText`
    select max(id) as "lastId", count(*) as "count"
    from (select id from keepsend_payloads where id > ${afterId} order by id ${limitTo(batchSize)}) as step`)
  return onlyRow(rows)
}

/**
 * A payload and the rows that are inserted with it are seen together, and rows of an event that come later have one of
 * their own: what is unused stays so. A row without an endpoint has the id of its event; '/' is behind every other's.
 */
export function deleteUnusedStatement(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { afterId, toId }: { afterId: number; toId: number },
): SqlText {
  // A scalar, not `not exists`: for that Postgres may join every row there is.
  const unused = sqlText`
    select stored.id from keepsend_payloads as stored
    where stored.id > ${afterId} and stored.id <= ${toId} and (
      select delivery.id from pending_events as delivery
      where delivery.id >= stored.event_id and delivery.id < stored.event_id || '/'
      order by delivery.id limit 1) is null
    ${dialect.lock('pick', 'stored')}`
  return sqlText`delete from keepsend_payloads where id ${dialect.among(unused)}`
}
