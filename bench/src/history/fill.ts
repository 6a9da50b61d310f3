import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'

/** Workspaces of a filled history; the first has nine tenths of all attempts, and a hundred endpoints. */
const WORKSPACES = 1000
/** Endpoints of the large workspace. */
export const ENDPOINTS = 100
const TYPES = 50
/** Attempts of the rare type, of whatever number. */
const RARE = 200
/** Days over which they are spread. */
export const DAYS = 28

const DAY_MS = 86_400_000
// Rows of one statement.
const SLICE = 250_000

export const LARGE = 'w0'
export const SMALL = 'w7'

/** The endpoint with this number of the large workspace. */
export function endpointOf(number: number): string {
  return `ep_0_${number % ENDPOINTS}`
}

/**
 * Inserts attempts as settles would have, evenly spread over the last 28 days: 1,000 workspaces, one with 90% of them, 50 types,
 * one of them rare, 1% failures of five kinds. Failed deliveries have their rows, events and problems are recorded.
 */
export async function fillHistory(db: OutboxDatabase, count: number): Promise<void> {
  const { rows } = await db.run<{ now: number }>(sqlText`select ms as "now" from keepsend_clock`)
  const from = Number(rows[0]?.now) - DAYS * DAY_MS
  const step = (DAYS * DAY_MS - 3_600_000) / count
  if (db.dialect.name === 'postgres') await attachDays(db, from)
  for (let first = 0; first < count; first += SLICE)
    await db.run(insertAttempts(db, { first, most: Math.min(SLICE, count - first), from, step, count }))
  await db.run(sqlText`
    insert into pending_events (id, workspace_id, event_type, endpoint_id, status, attempts, max_attempts, gen, created_at,
      completed_at, last_status, last_error, payload)
    select delivery_id, workspace_id, event_type, endpoint_id, 'failed', 1, 1, gen, started_at, started_at, http_status, error, '{}'
    from keepsend_attempts where outcome = 'failed'`)
  await db.run(sqlText`
    insert into keepsend_events (id, workspace_id, event_type, channels, created_at, deliveries, payload_id)
    select substr(delivery_id, 1, 40), workspace_id, event_type, '[]', started_at, 1, 1 from keepsend_attempts`)
  await db.run(sqlText`
    insert into keepsend_problems (endpoint_id, error_class, http_status, workspace_id, state_since, first_seen_at, last_seen_at,
      attempts, deliveries, last_error, last_delivery_id)
    select endpoint_id, error_class, coalesce(http_status, 0), workspace_id, min(started_at), min(started_at), max(started_at),
      count(*), count(*), max(error), max(delivery_id)
    from keepsend_attempts where outcome = 'failed' group by 1, 2, 3, 4`)
}

// Of a retention of 30 days.
const PARTITION_DAYS = 2

/** The partitions of the days before today, as maintenance has attached them while they were ahead. */
async function attachDays(db: OutboxDatabase, from: number): Promise<void> {
  const { rows } = await db.run<{ today: string }>(
    raw(`select min(substr(relname, 19)) as "today" from pg_class where relname ~ '^keepsend_attempts_[0-9]+$'`),
  )
  const today = Number(rows[0]?.today)
  const firstDay = Math.floor(from / DAY_MS)
  for (let day = today - PARTITION_DAYS; day > firstDay - PARTITION_DAYS; day -= PARTITION_DAYS) {
    const [first, end] = [day, day + PARTITION_DAYS].map((at) => BigInt(at * DAY_MS) << 20n)
    await db.run(
      raw(
        `create table keepsend_attempts_${day} partition of keepsend_attempts for values from (${first}) to (${end})`,
      ),
    )
  }
}

interface Slice {
  first: number
  most: number
  /** The time of attempt 0, and ms between two. */
  from: number
  step: number
  count: number
}

function insertAttempts({ dialect }: OutboxDatabase, { first, most, from, step, count }: Slice): SqlText {
  const isSqlite = dialect.name === 'sqlite'
  const integer = (text: string): SqlText => raw(isSqlite ? `cast(${text} as integer)` : `floor(${text})::bigint`)
  const hex = (text: string): SqlText =>
    raw(isSqlite ? `printf('%012x', ${text})` : `lpad(to_hex((${text})::bigint), 12, '0')`)
  const numbers = isSqlite
    ? sqlText`with recursive n(value) as (
        select cast(${first} as integer) union all select value + 1 from n where value < ${first + most - 1}) select value from n`
    : sqlText`select value from generate_series(cast(${first} as bigint), cast(${first + most - 1} as bigint)) as n(value)`
  const perMs = raw(isSqlite ? '4096' : '1048576')
  // Spreads numbers that follow each other, so that workspace, type and outcome do not depend on each other.
  const draw = (factor: number, of: number): string => `(((value * ${factor} + 12345) % 1000003) % ${of})`
  return sqlText`
    insert into keepsend_attempts (id, delivery_id, gen, workspace_id, endpoint_id, event_type, number, reason, started_at,
      queue_us, connect_us, first_byte_us, total_us, outcome, http_status, error_class, error, url, headers, body)
    select at * ${perMs}, 'evt_' || substr(hex, 1, 8) || '-' || substr(hex, 9, 4) || '-7000-8000-' || serial || '.' || endpoint,
      at / 1000, workspace, endpoint, type, 1, 'publish', at - 50, 4000, 300, 20000 + jitter * 10, 21000 + jitter * 10,
      case when kind < 5 then 'failed' else 'delivered' end,
      case kind when 0 then 500 when 1 then 404 when 2 then 400 when 3 then 503 when 4 then null else 200 end,
      case kind when 0 then 'http_5xx' when 1 then 'http_4xx' when 2 then 'http_4xx' when 3 then 'http_5xx' when 4 then 'timeout' end,
      case when kind < 4 then 'HTTP ' || (case kind when 0 then 500 when 1 then 404 when 2 then 400 else 503 end)
        when kind = 4 then 'timeout: no response within 15000 ms' end,
      'https://hooks.example.com/keepsend',
      case when kind < 4 then '{"content-type":"application/json","date":"Sun, 29 Nov 2026 09:00:00 GMT"}' end,
      case when kind < 4 then ${'x'.repeat(300)} end
    from (
      select ${integer(`${from} + value * ${step}`)} as at, ${hex(`${from} + value * ${step}`)} as hex,
        ${hex('value')} as serial, ${raw(draw(7919, 1000))} as jitter,
        case when ${raw(draw(104_729, 1000))} < 10 then ${raw(draw(1299, 5))} else 9 end as kind,
        case when ${raw(draw(611_953, 10))} < 9 then 'w0' else 'w' || ${raw(draw(15_485, WORKSPACES))} end as workspace,
        case when ${raw(draw(611_953, 10))} < 9 then 'ep_0_' || ${raw(draw(32_452, ENDPOINTS))}
          else 'ep_' || ${raw(draw(15_485, WORKSPACES))} end as endpoint,
        case when value % ${Math.max(1, Math.floor(count / RARE))} = 0 then 'rare'
          else 'type.' || ${raw(draw(49_979, TYPES - 1))} end as type
      from (${numbers}) as numbers) as attempt`
}
