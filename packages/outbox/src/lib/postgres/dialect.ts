import type { Dialect, Payload, Stored } from '../dialect.ts'
import { type ClaimRecord, withKey } from '../record.ts'
import type { ClaimRef } from '../row.ts'
import { byId, eventRange } from '../row-id.ts'
import { type SqlText, clock, raw, sqlText } from '../statement.ts'
import { CLAIM_STANDS, leaseSet } from '../transitions.ts'
import { numbers, texts } from './array-params.ts'
import { storeCopies } from './copies.ts'
import { lanes } from './lanes.ts'
import { newestInLine, ofWorkspace } from './newest.ts'
import { among, first, heldOf, inLane, inLine, pick, pickLanes } from './pick.ts'
import { insertRecorded, storeRecorded } from './recorded-event.ts'
import { rows } from './rows.ts'
import { deleteClaims, settleAndTake } from './settle-and-take.ts'

const LOCKS = { pick: 'for update', wait: 'for update', change: 'for no key update', share: 'for share' } as const

/**
 * Postgres. No statement waits for a lock out of key order: picks skip locked rows, and a settle has the only claim of
 * its rows.
 */
export const postgresDialect: Dialect = {
  name: 'postgres',
  least: raw('least'),
  greatest: raw('greatest'),
  by: () => raw(''),
  inKeyOrder: raw('order by id collate "C"'),
  // Not a `select … from unnest`: planning that join took a fifth of a publish.
  oneOf: (values) => sqlText`= any (${texts(values)})`,
  keys: (ids) => among(sqlText`select value from unnest(${texts(ids)}) as listed (value)`),
  first,
  among,
  lock: (how, table) => raw(`${LOCKS[how]} of ${table}${how === 'pick' ? ' skip locked' : ''}`),
  clockBeside: { now: raw('keepsend_clock.ms'), from: raw('keepsend_clock, ') },
  clockAfterLock: sqlText`(${clock()} - ${msOf('statement_timestamp()')} + ${msOf('clock_timestamp()')})`,
  reused: raw('materialized'),
  inlinesLong: true,
  isBilled: false,
  followsIndexes: raw(`select set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)`),
  storePayloads,
  storeShared,
  storeRecorded,
  storeCopies: storeCopies(rows),
  object: (key, value, from) => sqlText`cast((select json_object_agg(${key}, ${value}) from ${from}) as text)`,
  entryOf: (object, key) => sqlText`cast(cast(${object} as jsonb) ->> ${key} as bigint)`,
  valuesOf: (object) =>
    sqlText`select cast(entry.value as bigint) from jsonb_each_text(cast(${object} as jsonb)) as entry`,
  insertRecorded,
  elements: (alias, list) => sqlText`jsonb_array_elements_text(cast(${list} as jsonb)) as ${raw(alias)} (value)`,
  rows,
  moves: (items, columns) => ({ with: raw(''), from: rows('move', items, columns), where: raw('') }),
  claims,
  joinRowsOf,
  pick: (which) => pick(which),
  pickLanes: (shares) => pickLanes(shares),
  inLane,
  heldOf,
  inLine,
  ofWorkspace,
  newestInLine,
  lanes,
  deleteClaims: (refs) => deleteClaims(sqlText`(${claims(refs)}) as claim`),
  recordClaims,
  extend,
  settleAndTake: (...settle) => settleAndTake(postgresDialect, ...settle),
}

function msOf(time: string): SqlText {
  return raw(`cast(floor(extract(epoch from ${time}) * 1000) as bigint)`)
}

// By key, so that statements that lock the same rows lock them in the same order.
function claims(refs: readonly ClaimRef[]): SqlText {
  const sorted = refs.toSorted(byId)
  return sqlText`select claim_id, claim_gen
      from unnest(${texts(sorted.map(({ id }) => id))}, ${numbers(sorted.map(({ gen }) => gen))}) as claims (claim_id, claim_gen)`
}

/** Locks the claims, in the order of their keys: without that, another worker could take a row before its settle. */
function recordClaims<Item extends ClaimRef>(items: readonly Item[], record: ClaimRecord<Item>): SqlText[] {
  const insert = record.insert({
    from: sqlText`${rows('item', items, withKey(record.columns))}
      join pending_events as claim on claim.id = item.claim_id and claim.gen = item.claim_gen and claim.status = 'pending'
      order by claim.id for update of claim`,
    value: (column) => raw(`item.${column}`),
    place: raw('0'),
  })
  return [insert]
}

function storePayloads(payloads: readonly Payload[]): Stored {
  const source = rows('source', [...payloads.entries()], {
    place: ['integer', ([index]) => index + 1],
    event_id: ['text', ([, { eventId }]) => eventId],
    payload: ['text', ([, { payload }]) => payload],
  })
  return {
    before: [],
    ctes: [
      sqlText`shared as materialized (
      select place, event_id, payload, nextval('keepsend_payload_id') as payload_id from ${source})`,
      raw(`stored as (
      insert into keepsend_payloads (id, event_id, payload) select payload_id, event_id, payload from shared)`),
    ],
    join: raw('left join shared on shared.place = event.place'),
    id: raw('shared.payload_id'),
  }
}

/** One statement, so that the receivers that are counted are those that get a row. */
function storeShared({ eventId, payload }: Payload, _from: SqlText, moreThan: number): Stored {
  return {
    before: [],
    ctes: [
      sqlText`stored as (
      insert into keepsend_payloads (event_id, payload)
      select cast(${eventId} as text), cast(${payload} as text) from receiver having count(*) > ${raw(String(moreThan))}
      returning id)`,
    ],
    join: raw(''),
    id: raw('(select id from stored)'),
  }
}

/**
 * Lateral: a plain join read the whole table (100,000 rows, never analyzed) and compared each row with each event,
 * because the planner expected 500 rows of each event and estimated that many look-ups as more expensive than reading
 * everything.
 */
function joinRowsOf(eventId: SqlText): SqlText {
  return sqlText`cross join lateral (
            select * from pending_events where ${eventRange(eventId)} order by id ${first(Number.MAX_SAFE_INTEGER)}
          ) as pending_events`
}

function extend(refs: readonly ClaimRef[], leaseMs: number, now: number | undefined): SqlText {
  const stands = sqlText`${CLAIM_STANDS} and claimed_at is not null`
  // A locked row is being settled, by this worker or by another. It is skipped, and counts as claimed until a later
  // renewal finds it gone. Waiting for its lock in another order could deadlock.
  return sqlText`
    with standing as materialized (
      select claim_id, claim_gen from pending_events join (${claims(refs)}) as claim on ${stands}),
    free as materialized (
      select id as free_id, standing.claim_gen as free_gen from pending_events join standing on ${stands}
      for update of pending_events skip locked),
    extended as (
      update pending_events set ${leaseSet(postgresDialect, leaseMs, now)}
      from free where id = free_id and gen = free_gen and status = 'pending' and claimed_at is not null)
    select claim_id as id, claim_gen as gen from standing`
}
