import type { OptionNames } from './options.ts'
import { type OutboxDatabase, onlyRow } from './database.ts'
import type { Dialect } from './dialect.ts'
import { checkBounds, checkNames } from './errors.ts'
import { type SqlText, clock, raw, sqlText } from './statement.ts'

// With payloads of 500 bytes, a publish to 3 receivers takes 17.6 µs each with a copy in each row and 18.2 with one
// shared copy; to 10 receivers 8.1 and 7.2 (measured).
export const MAX_INLINE_ROWS = 3

const SHORT_BYTES = 1000

/**
 * Rows of one event that hold this payload themselves, at most. More rows share one stored copy.
 *
 * @param expectsFew see {@link insertSelectStatements}
 */
export function maxInlineRows(
  { inlinesLong }: Pick<Dialect, 'inlinesLong'>,
  payload: string,
  expectsFew = false,
): number {
  if (isLong(payload)) return inlinesLong ? MAX_INLINE_ROWS : 0
  // A short payload may be copied into any number of rows when the receivers are not counted.
  return expectsFew ? Infinity : MAX_INLINE_ROWS
}

/**
 * A UTF-16 unit is at most 3 bytes, so only a payload that could be too long is encoded, which takes a tenth of the
 * time of a count.
 */
function isLong(payload: string): boolean {
  const { length } = payload
  return length > SHORT_BYTES || (length * 3 > SHORT_BYTES && encoder.encodeInto(payload, short).read < length)
}

const encoder = new TextEncoder()
const short = new Uint8Array(SHORT_BYTES)

export interface PayloadCleanupOptions {
  /** Payloads a statement: 1–10,000. @default 500 */
  batchSize?: number | undefined
  /** No batch starts after this many ms: 0–60,000. At least one batch runs. @default 200 */
  budgetMs?: number | undefined
  /** The current time, ms since the epoch. @default the database's clock */
  now?: number | undefined
  /** A clock for the budget, in ms. @default Date.now */
  elapsed?: (() => number) | undefined
  /** Payloads that stay without a row. @default none */
  retained?: RetainedPayloads | undefined
}

/** Payloads that a table of the caller's retains. */
export interface RetainedPayloads {
  /** The expression of the first id from which nearly all are retained: a pass ends there. Null: there is none. */
  from: SqlText
  /** An expression for a payload `stored`: not null if it is retained. */
  reference: SqlText
}

export const PAYLOAD_CLEANUP_OPTIONS = {
  batchSize: 'number',
  budgetMs: 'number',
  now: 'number',
  elapsed: 'function',
  retained: 'object',
} satisfies OptionNames<PayloadCleanupOptions>

// A pass reads every payload. The next pass starts this long after it for each payload that stayed, at most an hour
// later: a million payloads cost a pass of 2 s an hour, and where few stay, a payload is deleted soon after its last
// row.
const REST_MS = 4
const MAX_REST_MS = 3_600_000

/**
 * Deletes shared payloads whose event has no rows left: each delivery is settled, and none is retained for a replay.
 * Runs in bounded batches, in the order in which payloads were stored; the position is in the database. `more` is true
 * when the budget ended before the pass.
 */
export async function cleanupPayloads(
  db: OutboxDatabase,
  options: PayloadCleanupOptions = {},
): Promise<{ deleted: number; more: boolean }> {
  checkNames('cleanupPayloads', PAYLOAD_CLEANUP_OPTIONS, options)
  const { batchSize = 500, budgetMs = 200, elapsed = Date.now, retained } = options
  checkBounds('batchSize', batchSize, 1, 10_000)
  checkBounds('budgetMs', budgetMs, 0, 60_000)
  const place = await readPlace(db, options.now)
  const { now } = place
  const restMs = place.nextAt - now
  // A time further ahead than the longest rest comes from a clock that was wrong.
  if (place.afterId === null && restMs > 0 && restMs <= MAX_REST_MS) return { deleted: 0, more: false }
  const end = elapsed() + budgetMs
  let afterId = place.afterId ?? 0
  let inUse = 0
  let deleted = 0
  let more = true
  while (more) {
    const step = await lookFrom(db, { afterId, batchSize, retained })
    if (step.lastId !== null) {
      const { changes } = await db.run(deleteUnusedStatement(db, { afterId, toId: step.lastId, retained }))
      afterId = step.lastId
      inUse += step.count - changes
      deleted += changes
    }
    more = step.count === batchSize
    if (more && elapsed() >= end) break
  }
  // Stored last: a crash before it repeats the batches. If two processes clean up concurrently, the later write
  // wins.
  if (more || inUse > 0 || place.afterId !== null) {
    const restFrom = place.afterId === null || restMs > MAX_REST_MS ? now : place.nextAt
    const nextAt = Math.min(restFrom + inUse * REST_MS, now + MAX_REST_MS)
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
  { afterId, batchSize, retained }: { afterId: number; batchSize: number; retained: RetainedPayloads | undefined },
): Promise<{ lastId: number | null; count: number }> {
  const end = retained ? sqlText`and id < coalesce(${retained.from}, ${NO_END})` : raw('')
  const { rows } = await db.run<{ lastId: number | null; count: number }>(sqlText`
    select max(id) as "lastId", count(*) as "count"
    from (select id from keepsend_payloads where id > ${afterId} ${end} order by id ${db.dialect.first(batchSize)}) as step`)
  return onlyRow(rows)
}

const NO_END = raw(String(Number.MAX_SAFE_INTEGER))

/**
 * A payload becomes visible together with the rows that were inserted with it, and later rows of an event have a
 * payload of their own, or lock the record that retains it: an unused payload stays unused. A row without an endpoint
 * has the id of its event; '/' sorts after the ids of all others.
 */
export function deleteUnusedStatement(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { afterId, toId, retained }: { afterId: number; toId: number; retained?: RetainedPayloads | undefined },
): SqlText {
  const unretained = retained ? sqlText`and ${retained.reference} is null` : raw('')
  // A scalar, not `not exists`: for that Postgres may join every row of the table.
  const unused = sqlText`
    select stored.id from keepsend_payloads as stored
    where stored.id > ${afterId} and stored.id <= ${toId} and (
      select delivery.id from pending_events as delivery
      where delivery.id >= stored.event_id and delivery.id < stored.event_id || '/'
      order by delivery.id limit 1) is null
    ${unretained} ${dialect.lock('pick', 'stored')}`
  return sqlText`delete from keepsend_payloads where id ${dialect.among(unused)}`
}
