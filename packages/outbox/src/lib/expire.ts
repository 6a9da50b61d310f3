import type { OutboxDatabase } from './database.ts'
import { checkBounds } from './errors.ts'
import { checkOptions } from './option-names.ts'
import type { PendingEvent } from './row.ts'
import { type SqlText, clock, limitTo, raw, sqlText } from './statement.ts'
import { Transaction } from './transaction.ts'
import { expireSet } from './transitions.ts'

/** A row that is about to expire. */
export type ExpiringEvent = Pick<PendingEvent, 'id' | 'gen' | 'workspaceId' | 'type' | 'endpointId'>

export interface ExpireOptions {
  /** The time that a row has, from its insert or its last replay, in ms: 1 or more. */
  maxAgeMs: number
  /** Rows that fail in one call: 1–5,000. @default 500 */
  batchSize?: number | undefined
  /** Statements that commit with the rows, before they fail. @default none */
  alongside?: ((rows: readonly ExpiringEvent[]) => readonly SqlText[]) | undefined
  /** The time to go by, ms since the epoch. @default the database's clock */
  now?: number | undefined
}

// Keys that a call reads. Age is in no index, which would cost each insert a write, so a pass goes over all keys in steps.
// 1,000,000 rows take 200 calls of 5 ms (SQLite) or 8 ms (Postgres).
const LOOK = 5000

/**
 * Fails rows that are older than `maxAgeMs` as {@link EXPIRED}, held or pending, never one under a live lease. A call
 * is one step of a pass over the table, whose place is in the database; the step behind the last begins anew. `more`:
 * the pass has not come to its end.
 */
export async function expireEvents(
  db: OutboxDatabase,
  options: ExpireOptions,
): Promise<{ ids: string[]; more: boolean }> {
  checkOptions('expireEvents', options)
  const { maxAgeMs, batchSize = 500, alongside, now } = options
  checkBounds('maxAgeMs', maxAgeMs, 1, Number.MAX_SAFE_INTEGER)
  checkBounds('batchSize', batchSize, 1, LOOK)
  const { rows: found } = await db.run<Looked>(lookStatement(db, { maxAgeMs, limit: batchSize + 1, now }))
  const old = found.filter(({ isOld }) => isOld === 1)
  const expiring = old.slice(0, batchSize)
  const last = (old.length > batchSize ? expiring : found).at(-1)
  const more = last !== undefined && (last.looked === LOOK || old.length > batchSize)

  let ids: string[] = []
  if (expiring.length > 0) {
    const transaction = new Transaction()
    transaction.addAll(alongside?.(expiring) ?? [])
    const expired = transaction.add<{ id: string }>(expireStatement(db, expiring, { maxAgeMs, now }))
    await transaction.commit(db)
    ids = expired.rows.map(({ id }) => id)
  }
  // Only now: a crash before it repeats the step. Of two that look at once the later write wins, and some keys are read twice.
  const place = more ? last.id : null
  await db.run(sqlText`
    update keepsend_sweep_pass set expiry_after_id = ${place} where expiry_after_id is distinct from ${place}`)
  return { ids, more }
}

interface Looked extends ExpiringEvent {
  isOld: 0 | 1
  /** Keys in the step. */
  looked: number
}

/** The old rows of the next step, and its last key. */
export function lookStatement(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { maxAgeMs, limit, now }: { maxAgeMs: number; limit: number; now: number | undefined },
): SqlText {
  return sqlText`
    with step as materialized (
      select id, gen, workspace_id, event_type, endpoint_id, case when ${tooOld(maxAgeMs, now)} then 1 else 0 end as is_old
      from pending_events
      where id > coalesce((select expiry_after_id from keepsend_sweep_pass), '')
      order by id ${dialect.first(LOOK)})
    select id as "id", gen as "gen", workspace_id as "workspaceId", event_type as "type", endpoint_id as "endpointId",
      is_old as "isOld", (select cast(count(*) as integer) from step) as "looked"
    from step where is_old = 1 or id = (select max(id) from step)
    order by id ${limitTo(limit)}`
}

/** The look was a moment ago: a row that has moved since has another `gen`, and is left to whoever moved it. */
export function expireStatement(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  rows: readonly Pick<PendingEvent, 'id' | 'gen'>[],
  { maxAgeMs, now }: { maxAgeMs: number; now: number | undefined },
): SqlText {
  const picked = dialect.pick({
    where: sqlText`id ${dialect.among(dialect.list(rows.map(({ id }) => id)))}
      and id || '#' || gen in (${dialect.list(rows.map(({ id, gen }) => `${id}#${gen}`))})
      and ${tooOld(maxAgeMs, now)}`,
  })
  return sqlText`
    ${picked.with} update pending_events set ${expireSet(now)} where ${picked.where} returning id`
}

function tooOld(maxAgeMs: number, now: number | undefined): SqlText {
  return sqlText`(status in ('pending', 'held') and coalesce(replayed_at, created_at) < ${clock(now)} - ${raw(String(maxAgeMs))}
        and (claimed_at is null or due_at <= ${clock(now)}))`
}
