import { type OutboxDatabase, type SqlText, type SqlResult, clock, limitTo, raw, sqlText } from '@keepsend/outbox'
import { standsAsProbe } from './circuit.ts'
import { lockEndpoints } from './locks.ts'

export interface WakeOptions {
  /** Endpoints at most: 1–1,000. @default 100 */
  limit?: number | undefined
  /** Rows that are let out of one endpoint; one under a rate limit has as many as it may send until the next wake. @default 16 */
  batch?: number | undefined
  /** When the next batch is let out, in ms. @default 1000 */
  everyMs?: number | undefined
  /**
   * For a queue whose messages bring the rows: each row is due this long after its message should come, in ms. Rows under
   * a rate limit come one after the other. Without it all rows are due now.
   */
  graceMs?: number | undefined
}

/** A row that was let out, for its message. */
export interface LetOutRow {
  id: string
  gen: number
  type: string
  workspaceId: string
  endpointId: string
  /** How long its message should wait, in ms. */
  delayMs: number
}

export interface Woken {
  letOut: LetOutRow[]
  /** When the next endpoint wants to be woken, in ms from now; null: none does. */
  nextMs: number | null
}

interface Due {
  id: string
  circuit: 'closed' | 'open'
  rateLimit: number | null
  wakeAt: number
  now: number
}

/**
 * Lets out what is held for endpoints whose time has come: a batch, oldest first, or one row as a probe while the
 * circuit is open. The time itself is compared and set in the same unit, so of two takers one finds nothing to do; and
 * the next time is set before anything is sent, so a process that dies costs one interval.
 */
export async function wakeEndpoints(
  db: OutboxDatabase,
  openMs: number,
  { limit = 100, batch = 16, everyMs = 1000, graceMs }: WakeOptions = {},
  onlyId?: string,
): Promise<Woken> {
  const one = onlyId === undefined ? raw('') : sqlText`and id = ${onlyId}`
  const { rows } = await db.run(sqlText`
    select id as "id", circuit as "circuit", rate_limit as "rateLimit", wake_at as "wakeAt", ${clock()} as "now"
    from keepsend_endpoints where wake_at is not null ${one} order by wake_at, id ${limitTo(limit + 1)}`)
  const found = rows as unknown as Due[]
  const due = found.slice(0, limit).filter(({ wakeAt, now }) => wakeAt <= now)
  const rest = found[due.length]
  const nextMs = rest ? Math.max(0, rest.wakeAt - rest.now) : due.length > 0 ? everyMs : null
  if (due.length === 0) return { letOut: [], nextMs }

  const steps = due.flatMap((endpoint) =>
    endpoint.circuit === 'open'
      ? probe(db, endpoint, openMs, graceMs)
      : letOutBatch(db, endpoint, { batch, everyMs, graceMs }),
  )
  const locks = lockEndpoints(
    db,
    due.map(({ id }) => id),
  )
  const results = await db.atomic([...locks, ...steps])
  return { letOut: results.slice(locks.length).flatMap((result) => readLetOut(result, due, graceMs)), nextMs }
}

function letOutBatch(
  db: OutboxDatabase,
  { id, wakeAt, rateLimit, now }: Due,
  { batch, everyMs, graceMs }: { batch: number; everyMs: number; graceMs: number | undefined },
): SqlText[] {
  // A limited endpoint is woken in step with its limit: what comes out is what it may send until the next time.
  const interval = rateLimit === null ? everyMs : graceMs === undefined ? limitedEvery(rateLimit) : everyMs
  const count = rateLimit === null ? batch : Math.max(1, Math.floor((rateLimit * interval) / 1000))
  const apartMs = rateLimit === null || graceMs === undefined ? 0 : Math.ceil(1000 / rateLimit)
  const mine = sqlText`id = ${id} and wake_at = cast(${wakeAt} as bigint) and circuit = 'closed'`
  return [
    letOutOldest(db, id, count, {
      only: sqlText`exists (select 1 from keepsend_endpoints where ${mine} and status = 'enabled')`,
      apartMs,
      afterMs: graceMs ?? 0,
    }),
    sqlText`
      update keepsend_endpoints set wake_at = case
        when status = 'enabled' and exists (
          select 1 from pending_events as held where held.status = 'held' and held.endpoint_id = keepsend_endpoints.id)
        then cast(${now + interval} as bigint) end
      where ${mine}`,
  ]
}

/** Four times a second at most, and not before there is one to send. */
function limitedEvery(rateLimit: number): number {
  return Math.max(250, Math.ceil(1000 / rateLimit))
}

/** The oldest held row becomes the probe, unless the last one still stands. */
function probe(db: OutboxDatabase, { id, wakeAt, now }: Due, openMs: number, graceMs: number | undefined): SqlText[] {
  const mine = sqlText`id = ${id} and wake_at = cast(${wakeAt} as bigint) and circuit = 'open'`
  const next = sqlText`cast(${now + openMs} as bigint)`
  const oldest = sqlText`(
    select min(held.id) from pending_events as held
    where held.status = 'held' and held.endpoint_id = keepsend_endpoints.id)`
  return [
    sqlText`
      update keepsend_endpoints set probe_id = ${oldest}, wake_at = case when ${oldest} is not null then ${next} end
      where ${mine} and status = 'enabled' and not ${standsAsProbe(openMs, graceMs ?? 0)}`,
    sqlText`
      update keepsend_endpoints set wake_at = case when status = 'enabled' then ${next} end where ${mine}`,
    letOutOldest(db, id, 1, {
      only: sqlText`held.id in (select probe_id from keepsend_endpoints
        where id = ${id} and circuit = 'open' and status = 'enabled')`,
      apartMs: 0,
      afterMs: graceMs ?? 0,
    }),
  ]
}

/** Held rows of an endpoint, oldest first: pending, due `afterMs` from now and each `apartMs` after the one before. */
export function letOutOldest(
  db: OutboxDatabase,
  endpointId: string,
  count: number,
  { only, apartMs, afterMs }: { only: SqlText; apartMs: number; afterMs: number },
): SqlText {
  return sqlText`
    with picked as materialized (
      select held.id as picked_id from pending_events as held
      where held.status = 'held' and held.endpoint_id = ${endpointId} and ${only}
      order by held.id ${db.dialect.first(count)} ${db.dialect.lock('pick', 'held')}),
    placed as materialized (select picked_id, row_number() over (order by picked_id) - 1 as place from picked)
    update pending_events set status = 'pending', hold_reason = null, gen = gen + 1,
      due_at = ${clock()} + ${raw(String(afterMs))} + place * ${raw(String(apartMs))}
    from placed where id = picked_id and id ${db.dialect.among(raw('select picked_id from placed'))} and status = 'held'
    returning id, gen, event_type as "type", workspace_id as "workspaceId", endpoint_id as "endpointId",
      due_at - ${clock()} as "inMs"`
}

function readLetOut({ rows }: SqlResult, due: readonly Due[], graceMs = 0): LetOutRow[] {
  const ids = new Set(due.map(({ id }) => id))
  return rows
    .filter((row) => ids.has(String(row['endpointId'])))
    .map(({ inMs, ...row }) => ({ ...(row as unknown as LetOutRow), delayMs: Math.max(0, Number(inMs) - graceMs) }))
    .sort((one, other) => (one.id < other.id ? -1 : 1))
}

/** The time to wake, where held rows would have none: no row waits for someone who does not come. */
export function wakeWithin(endpointId: string, inMs: number): SqlText {
  return sqlText`
    update keepsend_endpoints set wake_at = ${clock()} + ${raw(String(inMs))}
    where id = ${endpointId} and wake_at is null and status = 'enabled'`
}

/** Upkeep: endpoints that are enabled, have held rows, and whom nobody would wake. */
export function wakeStrays(): SqlText {
  return sqlText`
    update keepsend_endpoints set wake_at = ${clock()}
    where status = 'enabled' and wake_at is null and exists (
      select 1 from pending_events as held where held.status = 'held' and held.endpoint_id = keepsend_endpoints.id)`
}
