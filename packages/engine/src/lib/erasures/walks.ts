import type { OutboxDatabase } from '@keepsend/outbox'
import { type Row, type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import { hasIndex } from '../has-index.ts'
import { SPANS, SPAN_MS, SPAN_RETENTION_MS, floorTo } from '../statistics/spans.ts'
import { coversAttempt, coversDelivery, coversEvent, isOfDeleted, ofActions, ofProblems } from './covered.ts'
import { type Referring, countDeleted, deleteDeliveries, deleteRecords } from './delete-rows.ts'
import type { Job } from './erasure-job.ts'
import { eventStatements } from './erase-event.ts'
import { type WalkPage, drain, scan } from './walk.ts'

/** Reads the next page of a table, and says what deletes its rows. The first page begins after ''. */
export type Walk = (db: OutboxDatabase, job: Job, after: string) => Promise<WalkPage>

/**
 * The tables that each kind of erasure walks, in this order: deliveries first, so that no settle adds an attempt behind the walk over
 * attempts. `docs/erasure.md` has the same as a table, and a test compares them with the tables of the schema.
 */
export const WALKS: Readonly<Record<Job['what'], readonly Walk[]>> = {
  event: [eventRows, answers],
  range: [deliveries, attempts, events, problems, actions, answers],
  endpoint: [deliveries, attempts, problems, notifications, replays, statistics, actions, answers],
  workspace: [
    deliveries,
    attempts,
    events,
    searchValues,
    problems,
    notifications,
    replays,
    portalLinks,
    statistics,
    actions,
    answers,
  ],
}

/** By the primary key, past the rows of other workspaces: no index has all rows of one. */
export async function deliveriesPage(
  db: OutboxDatabase,
  job: Parameters<typeof coversDelivery>[0],
  after: string,
  limit?: number,
) {
  const isRange = job.what === 'event' || job.what === 'range'
  const start = isRange && after === '' ? sqlText`id >= ${job.fromId}` : sqlText`id > ${after}`
  const end = isRange ? sqlText`and id < ${job.toId}` : raw('')
  return scan(
    db,
    {
      key: raw('id'),
      also: raw(', payload_id as "payloadId", case when completed_at is null then 1 else 0 end as "isUnsettled"'),
      from: sqlText`pending_events where ${start} ${end}`,
      order: raw('id'),
      wanted: coversDelivery(job),
      read: (row) => ({ ...referringOf(row), isUnsettled: row['isUnsettled'] === 1 }),
    },
    limit,
  )
}

function referringOf(row: Row & { key: string }): Referring {
  const copies = typeof row['copies'] === 'string' ? (JSON.parse(row['copies']) as Record<string, number>) : {}
  const own = row['payloadId'] === null ? [] : [Number(row['payloadId'])]
  return { id: row.key, payloadIds: [...own, ...Object.values(copies)] }
}

async function deliveries(db: OutboxDatabase, job: Job, after: string): Promise<WalkPage> {
  const page = await deliveriesPage(db, job, after)
  return walked(page, after, (rows) => deleteDeliveries(db, job, rows))
}

async function attempts(db: OutboxDatabase, job: Job, after: string): Promise<WalkPage> {
  const { dialect } = db
  const index = 'keepsend_attempts_workspace'
  // D1 may have no index of all attempts of a workspace: then by the primary key, past those of others.
  const isIndexed = !dialect.isBilled || (await hasIndex(db, index))
  const from = after === '' ? '0' : after
  const range = sqlText`id > cast(${from} as bigint)`
  const mine = isIndexed ? sqlText`workspace_id = ${job.workspaceId} and ${range}` : range
  const page = await scan(db, {
    key: raw('cast(id as text)'),
    from: sqlText`keepsend_attempts ${isIndexed ? dialect.by(index) : raw('')} where ${mine}`,
    order: raw(isIndexed && dialect.name === 'postgres' ? 'workspace_id, id' : 'id'),
    wanted: coversAttempt(job, dialect.name),
    read: ({ key }) => key,
  })
  return walked(page, after, (keys) => {
    const ids = dialect.rows('listed', keys, { id: ['text', (key) => key] })
    const found = sqlText`select cast(listed.id as bigint) from ${ids}`
    const these = sqlText`id ${dialect.among(found)}`
    return [
      countDeleted(job, { attempts: sqlText`from keepsend_attempts where ${these}` }),
      sqlText`delete from keepsend_attempts where ${these}`,
    ]
  })
}

async function events(db: OutboxDatabase, job: Job, after: string): Promise<WalkPage> {
  const { where, oldestFirst } = db.dialect.ofWorkspace(job.workspaceId, {
    after: after === '' && job.what === 'range' ? job.fromId : after,
    ...(job.what === 'range' && { before: job.toId }),
  })
  const page = await scan(db, {
    key: raw('id'),
    also: raw(', payload_id as "payloadId", copies as "copies"'),
    from: sqlText`keepsend_events ${db.dialect.by('keepsend_events_workspace')} where ${where}`,
    order: oldestFirst,
    wanted: coversEvent(job),
    read: referringOf,
  })
  return walked(page, after, (rows) => deleteRecords(db, job, rows))
}

/** The values of events go with them; these are of events that another statement has deleted. */
function searchValues(db: OutboxDatabase, { workspaceId, toId }: Job): Promise<WalkPage> {
  return drain(db, {
    table: 'keepsend_event_search',
    key: 'workspace_id, path, value, event_id',
    where: sqlText`workspace_id = ${workspaceId} and event_id < ${toId}`,
  })
}

/** A problem has the error of the delivery that failed last. */
function problems(db: OutboxDatabase, job: Job): Promise<WalkPage> {
  return drain(db, { table: 'keepsend_problems', key: 'endpoint_id, error_class, http_status', where: ofProblems(job) })
}

function notifications(db: OutboxDatabase, { workspaceId, what, target }: Job): Promise<WalkPage> {
  const which = what === 'endpoint' ? sqlText`endpoint_id = ${target}` : isOfDeleted()
  return drain(db, {
    table: 'keepsend_notifications',
    key: 'endpoint_id, event_type',
    where: sqlText`workspace_id = ${workspaceId} and ${which}`,
  })
}

function replays(db: OutboxDatabase, { workspaceId, what, target, createdAt }: Job): Promise<WalkPage> {
  const which = what === 'endpoint' ? sqlText`endpoint_id = ${target}` : sqlText`created_at < ${createdAt}`
  return drain(db, {
    table: 'keepsend_replays',
    key: 'id',
    where: sqlText`workspace_id = ${workspaceId} and ${which}`,
  })
}

function portalLinks(db: OutboxDatabase, { workspaceId, createdAt }: Job): Promise<WalkPage> {
  return drain(db, {
    table: 'keepsend_portal_links',
    key: 'id',
    where: sqlText`workspace_id = ${workspaceId} and created_at < ${createdAt}`,
  })
}

/** Span by span, and by its times, which are known: the table has no index by workspace. */
async function statistics(
  db: OutboxDatabase,
  { workspaceId, what, target, createdAt }: Job,
  after: string,
): Promise<WalkPage> {
  const span = SPANS.find((one) => one === after) ?? SPANS[0]
  const count = SPAN_RETENTION_MS[span] / SPAN_MS[span] + 1
  const times = Array.from({ length: count }, (_, n) => floorTo(span, createdAt) - n * SPAN_MS[span])
  const listed = db.dialect.rows('listed', times, { at: ['integer', (at) => at] })
  const which = what === 'endpoint' ? sqlText`and endpoint_id = ${target}` : raw('')
  const page = await drain(db, {
    table: 'keepsend_statistics',
    key: 'span, at, workspace_id, endpoint_id',
    where: sqlText`span = ${span} and at ${db.dialect.among(sqlText`select listed.at from ${listed}`)} and workspace_id = ${workspaceId} ${which}`,
  })
  if (!page.isLast) return { ...page, after: span }
  const next = SPANS[SPANS.indexOf(span) + 1]
  return { ...page, after: next ?? '', isLast: next === undefined }
}

/** Actions of people, but not those that erased. */
function actions(db: OutboxDatabase, job: Job): Promise<WalkPage> {
  return drain(db, { table: 'keepsend_audit', key: 'id', where: ofActions(job) })
}

/**
 * The stored answers of requests: of a range and a workspace those of its time, of an event and an endpoint those that name it.
 * The record stays, without its answer: a late repeat of the request is refused, and makes nothing again.
 */
async function answers(db: OutboxDatabase, job: Job, after: string): Promise<WalkPage> {
  const { workspaceId, what, target, sinceAt, untilAt, createdAt } = job
  const isNamed = what === 'event' || what === 'endpoint'
  const contains = raw(db.dialect.name === 'postgres' ? 'strpos' : 'instr')
  const which = isNamed
    ? sqlText`${contains}(body, ${target}) > 0 and created_at < ${createdAt}`
    : sqlText`created_at >= ${sinceAt} and created_at < ${untilAt}`
  const wanted = sqlText`body <> '' and ${which}`
  const page = await scan(db, {
    key: raw('key_hash'),
    from: sqlText`keepsend_idempotency_records where workspace_id = ${workspaceId} and key_hash > ${after}`,
    order: raw('workspace_id, key_hash, method, route'),
    wanted,
    read: ({ key }) => key,
  })
  return walked(page, after, (hashes) => {
    const these = sqlText`workspace_id = ${workspaceId} and key_hash ${db.dialect.keys(hashes)} and ${wanted}`
    return [
      countDeleted(job, { answers: sqlText`from keepsend_idempotency_records where ${these}` }),
      sqlText`update keepsend_idempotency_records set body = '' where ${these}`,
    ]
  })
}

/** An event is one page: what was deleted when the job was made, again. */
function eventRows(db: OutboxDatabase, job: Job): Promise<WalkPage> {
  return Promise.resolve({ statements: eventStatements(db, job), after: '', isLast: true })
}

function walked<R>(
  page: { rows: R[]; after: string | undefined; isLast: boolean },
  after: string,
  statementsOf: (rows: R[]) => SqlText[],
): WalkPage {
  return {
    statements: page.rows.length === 0 ? [] : statementsOf(page.rows),
    after: page.after ?? after,
    isLast: page.isLast,
  }
}
