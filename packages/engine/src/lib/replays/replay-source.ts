import type { OutboxDatabase } from '@keepsend/outbox'
import { CANCELLED, endpointIdOf, sqlText } from '@keepsend/outbox/internal'
import type { CatalogVersions } from '../catalog/catalog-versions.ts'
import type { DeliveryLists } from '../deliveries/delivery-list.ts'
import { EngineError } from '../errors.ts'
import type { HistoryOptions } from '../history/history-options.ts'
import { deliveredPage } from './delivered-page.ts'
import { missedPage } from './missed-page.ts'
import type { InsertedAgain, PageAt, ReplayPage, ReplaySource, Searched } from './replay-page.ts'
import type { ReplayMatching } from './replay-input.ts'

export interface SourceDeps {
  db: OutboxDatabase
  history: HistoryOptions | undefined
  deliveries: Pick<DeliveryLists, 'list'>
  versions: CatalogVersions | undefined
}

export function sourceOf(deps: SourceDeps, job: Searched): ReplaySource {
  const { db, history } = deps
  const nextEndpoint = (after: string): Promise<string | undefined> => endpointAfter(db, job.workspaceId, after)
  const inserts = insertsOf(history, 'delivered')
  switch (job.what) {
    case 'failed':
      return { inserts: undefined, nextEndpoint, page: (at) => failedPage(db, job, at) }
    case 'delivered':
      return { inserts, nextEndpoint, page: (at) => deliveredPage(db, job, at) }
    case 'missed':
      return { inserts: insertsOf(history, 'missed'), nextEndpoint, page: (at) => missedPage(deps, job, at) }
    case 'matching':
      return { inserts, nextEndpoint, page: (at) => matchingPage(deps, job, at) }
    case 'ids':
      return { inserts, ...namedSource(job.ids ?? []) }
  }
}

/** The deliveries that a job inserts again with this history: without events there is nothing to insert them from. */
export function insertsOf(
  history: HistoryOptions | undefined,
  which: InsertedAgain['which'],
): InsertedAgain | undefined {
  return history?.events ? { which, retentionMs: history.retentionMs } : undefined
}

async function endpointAfter(db: OutboxDatabase, workspaceId: string, after: string): Promise<string | undefined> {
  const { where, oldestFirst } = db.dialect.ofWorkspace(workspaceId, { after })
  const { rows } = await db.run<{ id: string }>(sqlText`
    select id as "id" from keepsend_endpoints ${db.dialect.by('keepsend_endpoints_workspace')}
    where ${where} order by ${oldestFirst} ${db.dialect.first(1)}`)
  return rows[0]?.id
}

/**
 * Failed rows that nobody cancelled, the first that failed first. A row that was sent is not found again: it is not failed, or
 * fails after `untilAt`. The position is one of the index, because many rows may fail in one millisecond.
 */
async function failedPage(
  db: OutboxDatabase,
  { workspaceId, sinceAt, untilAt }: Searched,
  { endpointId, position, limit }: PageAt,
): Promise<ReplayPage> {
  const [, at, after = ''] = /^(\d+):(.*)$/.exec(position) ?? []
  const from = at === undefined ? sinceAt : Number(at)
  const { rows } = await db.run<{ id: string; at: number }>(sqlText`
    select id as "id", completed_at as "at" from pending_events ${db.dialect.by('pending_events_replay')}
    where completed_at is not null and workspace_id = ${workspaceId} and endpoint_id = ${endpointId} and status = 'failed'
      and coalesce(last_error, '') <> ${CANCELLED}
      and (completed_at, id) > (${from}, ${after}) and completed_at < ${untilAt}
    order by completed_at, id ${db.dialect.first(limit)}`)
  const last = rows.at(-1)
  return {
    ids: rows.map(({ id }) => id),
    position: last ? `${last.at}:${last.id}` : position,
    isLast: rows.length < limit,
  }
}

/** The list, from its newest delivery on: whatever is sent meanwhile stays behind the position. */
async function matchingPage(
  { deliveries }: SourceDeps,
  { workspaceId, selection, untilAt }: Searched,
  { endpointId, position, limit }: PageAt,
): Promise<ReplayPage> {
  const filter = selection as Partial<Omit<ReplayMatching, 'what'>>
  const { rows, next, omitted } = await deliveries.list(workspaceId, {
    ...filter,
    endpointId,
    until: Math.min(filter.until ?? untilAt, untilAt),
    limit,
    ...(position !== '' && { before: position }),
  })
  if (omitted && filter.status === omitted)
    throw new EngineError(
      'not_retained',
      'delivered deliveries are not recorded, or the database has no index to list them by',
    )
  return { ids: rows.map(({ id }) => id), position: next ?? position, isLast: next === undefined }
}

/** Named deliveries, in the order of their endpoints and ids. */
function namedSource(ids: readonly string[]): Pick<ReplaySource, 'nextEndpoint' | 'page'> {
  const byEndpoint = Map.groupBy([...new Set(ids)].toSorted(), endpointIdOf)
  const endpointIds = [...byEndpoint.keys()].toSorted()
  return {
    nextEndpoint: (after) => Promise.resolve(endpointIds.find((id) => id > after)),
    page({ endpointId, position, limit }) {
      const others = (byEndpoint.get(endpointId) ?? []).filter((id) => id > position)
      const page = others.slice(0, limit)
      return Promise.resolve({ ids: page, position: page.at(-1) ?? position, isLast: others.length <= limit })
    },
  }
}
