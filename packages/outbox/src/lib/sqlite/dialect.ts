import type { Dialect, KeyRange, NewestInLine, Payload, Picked, RowsInOrder, Stored, Which } from '../dialect.ts'
import type { RowSource } from '../row-source.ts'
import type { LaneShare, LookOptions } from '../lane-ref.ts'
import type { Resolved } from '../options.ts'
import type { ClaimRef } from '../row.ts'
import { eventRange } from '../row-id.ts'
import { type SqlText, allOf, clock, limitTo, raw, sqlText } from '../statement.ts'
import { leaseSet } from '../transitions.ts'
import { storeCopies } from './copies.ts'
import { LAST_PAYLOAD, STORE, insertRecorded, storeRecorded } from './recorded-event.ts'
import { recordClaims } from './record-claims.ts'

const NOTHING = raw('')
const IN_LINE = by('pending_events_ready')

/** SQLite and D1. A statement runs under the write lock, so concurrent picks never see the same row. */
export const sqliteDialect: Dialect = {
  name: 'sqlite',
  least: raw('min'),
  greatest: raw('max'),
  inKeyOrder: NOTHING,
  by,
  oneOf,
  keys: (ids) => sqlText`in (${listed(ids)})`,
  first: limitTo,
  among: (found) => sqlText`in (${found})`,
  lock: () => NOTHING,
  clockBeside: { now: clock(), from: NOTHING },
  clockAfterLock: clock(),
  reused: raw('not materialized'),
  inlinesLong: false,
  isBilled: false,
  followsIndexes: undefined,
  storePayloads,
  storeShared,
  storeRecorded,
  storeCopies: storeCopies({ rows, oneOf }),
  object: (key, value, from) => sqlText`(select json_group_object(${key}, ${value}) from ${from})`,
  // Not `->>`, which takes a label that begins with a digit for a position.
  entryOf: (object, key) => sqlText`(select entry.value from json_each(${object}) as entry where entry.key = ${key})`,
  valuesOf: (object) => sqlText`select entry.value from json_each(${object}) as entry`,
  insertRecorded,
  elements: (alias, list) => sqlText`json_each(${list}) as ${raw(alias)}`,
  rows,
  moves,
  claims,
  joinRowsOf: (eventId) => sqlText`cross join pending_events on ${eventRange(eventId)}`,
  pick,
  pickLanes,
  inLane,
  heldOf,
  inLine: (workspaceId) => ({
    where: sqlText`ready = 1 and workspace_id = ${workspaceId}`,
    order: raw('endpoint_id, id'),
  }),
  ofWorkspace,
  newestInLine,
  lanes,
  deleteClaims: (refs) => sqlText`
    delete from pending_events where (id, gen) in (${claims(refs)}) and status = 'pending' returning id, gen`,
  recordClaims,
  extend: (refs, leaseMs, now) => sqlText`
    update pending_events set ${leaseSet(sqliteDialect, leaseMs, now)}
    where (id, gen) in (${claims(refs)}) and status = 'pending' and claimed_at is not null
    returning id, gen`,
}

/**
 * Each payload is bound directly. Their ids are consecutive and the last ones, because there is no other writer
 * meanwhile.
 */
function storePayloads(payloads: readonly Payload[]): Stored {
  return {
    before: payloads.map(({ eventId, payload }) => sqlText`${STORE} values (${eventId}, ${payload})`),
    ctes: [],
    join: NOTHING,
    id: sqlText`(select max(id) from keepsend_payloads) - cast(${payloads.length} as integer) + event.place`,
  }
}

/**
 * The insert finds its payload as the last one stored. It is therefore also stored if the last one is an earlier
 * payload of the same event, which may have had another text.
 */
function storeShared({ eventId, payload }: Payload, from: SqlText, moreThan: number): Stored {
  return {
    before: [
      sqlText`
    ${STORE}
    select ${eventId}, ${payload}
    from (select count(*) as receivers from (select 1 from ${from} ${limitTo(moreThan + 1)}))
    where receivers > ${raw(String(moreThan))} or (receivers > 0 and (select event_id ${LAST_PAYLOAD}) = ${eventId})`,
    ],
    ctes: [],
    join: NOTHING,
    id: sqlText`(select id ${LAST_PAYLOAD} and event_id = ${eventId})`,
  }
}

function listed(values: readonly string[]): SqlText {
  return sqlText`select value from json_each(${JSON.stringify(values)})`
}

// Up to 8 texts have a parameter each; a statement on D1 may have 100. The patterns of a publish are an eighth
// faster this way.
const FEW = 8
const FEW_TEXTS = Array.from({ length: FEW + 1 }, (_, count) => `in (${Array(count).fill('?').join(', ')})`)

function oneOf(values: readonly string[]): SqlText {
  if (values.length > FEW) return sqlText`in (${listed(values)})`
  return { sql: FEW_TEXTS[values.length] ?? '', params: values }
}

function by(index: string): SqlText {
  return raw(`indexed by ${index}`)
}

function pick({ where, by: index, order, limit }: Which): Picked {
  const ordered = order && limit !== undefined ? sqlText`order by ${order} ${limitTo(limit)}` : NOTHING
  return {
    with: NOTHING,
    where: sqlText`id in (select id from pending_events ${index ? by(index) : NOTHING} where ${where} ${ordered})`,
  }
}

/** Equality: in a comparison of row values SQLite uses the first column alone (14 to 48 ms beside a million rows). */
function inLane(workspaceId: SqlText, endpointId: SqlText): { where: SqlText; order: SqlText } {
  return {
    where: sqlText`ready = 1 and workspace_id = ${workspaceId} and endpoint_id = ${endpointId}`,
    order: raw('id'),
  }
}

function heldOf(endpointId: SqlText, { from, before }: KeyRange = {}): RowsInOrder {
  const parts = [sqlText`status = 'held' and endpoint_id = ${endpointId}`]
  if (from) parts.push(sqlText`id >= ${from}`)
  if (before) parts.push(sqlText`id < ${before}`)
  return { where: allOf(parts), oldestFirst: raw('id'), newestFirst: raw('id desc') }
}

function ofWorkspace(
  workspaceId: string,
  { after, before }: { after?: string | SqlText; before?: string },
): RowsInOrder {
  const parts = [sqlText`workspace_id = ${workspaceId}`]
  if (after !== undefined) parts.push(sqlText`id > ${after}`)
  if (before !== undefined) parts.push(sqlText`id < ${before}`)
  return { where: allOf(parts), oldestFirst: raw('id'), newestFirst: raw('id desc') }
}

/** Steps from row to row of a lane, by one look-up each. */
function pickLanes(shares: readonly LaneShare[]): Picked {
  const [only, ...others] = shares
  if (only && others.length === 0) {
    const { workspaceId, endpointId, count, after = '' } = only
    const { where, order } = inLane(bound(workspaceId), bound(endpointId))
    return pick({ where: sqlText`${where} and id > ${after}`, by: 'pending_events_ready', order, limit: count })
  }
  const picks = shares.map(({ workspaceId, endpointId, count, after = '' }) => [workspaceId, endpointId, count, after])
  return {
    with: NOTHING,
    where: sqlText`id in (
      with recursive picked (w, e, k, id) as (
        select value ->> 0, value ->> 1, value ->> 2, (
          select min(id) from pending_events ${IN_LINE}
          where ready = 1 and workspace_id = value ->> 0 and endpoint_id = value ->> 1 and id > value ->> 3)
        from json_each(${JSON.stringify(picks)})
        union all
        select w, e, k - 1, (
          select min(id) from pending_events ${IN_LINE}
          where ready = 1 and workspace_id = picked.w and endpoint_id = picked.e and id > picked.id)
        from picked where k > 1 and id is not null)
      select id from picked where id is not null)`,
  }
}

/** Steps from workspace to workspace, and within one from endpoint to endpoint, by one look-up each. */
function lanes({ after, only, workspaces, endpoints, behind }: Resolved<LookOptions>): SqlText {
  const inOrder = sqlText`
      select (select min(workspace_id) from pending_events ${IN_LINE} where ready = 1 and workspace_id > ${after})
      union all
      select (select min(workspace_id) from pending_events ${IN_LINE} where ready = 1 and workspace_id > workspace.w)
      from workspace where workspace.w is not null ${limitTo(workspaces)}`
  return sqlText`
    with recursive workspace (w) as (${only.length > 0 ? listed(only) : inOrder}),
    step (w, e, n) as (
      select w, (
        select min(endpoint_id) from pending_events ${IN_LINE}
        where ready = 1 and workspace_id = w and endpoint_id >= coalesce(behind.value || ' ', '')), 1
      from workspace left join json_each(${JSON.stringify(behind)}) as behind on behind.key = w where w is not null
      union all
      select w, (
        select min(endpoint_id) from pending_events ${IN_LINE}
        where ready = 1 and workspace_id = step.w and endpoint_id > step.e), n + 1
      from step where e is not null and n < ${endpoints}),
    lane (w, e) as (select w, e from step where e is not null)`
}

/**
 * The queue of the recursion is ordered: whenever the last row of a lane was the newest, it reads the lane's next row
 * by one look-up.
 */
function newestInLine({ workspaceId, endpointId, before, after, rows: most }: NewestInLine): SqlText {
  const newest = (e: SqlText, below: SqlText): SqlText => sqlText`(
          select max(id) from pending_events ${IN_LINE}
          where ready = 1 and workspace_id = ${workspaceId} and endpoint_id = ${e} and id < ${below} and id > ${after})`
  const only = endpointId === undefined ? NOTHING : sqlText`where lane.e = ${endpointId}`
  return sqlText`
    line (part, id, most) as materialized (
      with recursive step (e, id) as (
        select lane.e, ${newest(raw('lane.e'), bound(before))} from lane ${only}
        union all
        select step.e, ${newest(raw('step.e'), raw('step.id'))} from step where step.id is not null
        order by 2 desc ${limitTo(most)})
      select '', id, cast(${most} as integer) from step where id is not null)`
}

function bound(value: string): SqlText {
  return { sql: '?', params: [value] }
}

// An object with a member for each claim, written by hand because the same id may occur twice. From `[[id, gen], …]`
// SQLite would parse each pair four times: a delete took 5.6 µs a row instead of 3.6.
function claims(refs: readonly ClaimRef[]): SqlText {
  const members = refs.map(({ id, gen }) => `${JSON.stringify(id)}:${gen}`)
  return sqlText`select key as claim_id, value as claim_gen from json_each(${`{${members.join()}}`})`
}

function rows<Item>(alias: string, items: readonly Item[], columns: RowSource<Item>): SqlText {
  return sqlText`(${selected(items, columns)}) as ${raw(alias)}`
}

/**
 * Materialized, and the keys matched by `in`: if the table was analyzed with ten rows, SQLite would scan all rows, and
 * without materialization parse the JSON again for each (128 rows: 9 ms instead of 0.5).
 */
function moves<Item>(items: readonly Item[], columns: RowSource<Item>): ReturnType<Dialect['moves']> {
  return {
    with: sqlText`with move as materialized (${selected(items, columns)})`,
    from: raw('move'),
    where: raw('id in (select claim_id from move) and'),
  }
}

function selected<Item>(items: readonly Item[], columns: RowSource<Item>): SqlText {
  const entries = Object.entries(columns)
  const list = entries.map(([name], index) => `value ->> ${index} as ${name}`).join(', ')
  const values = items.map((item) => entries.map(([, [, valueOf]]) => valueOf(item)))
  return { sql: `select ${list} from json_each(?)`, params: [JSON.stringify(values)] }
}
