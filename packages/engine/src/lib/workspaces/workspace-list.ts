import type { OutboxDatabase } from '@keepsend/outbox'
import { type OptionNames, type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import { EngineError, checkBounds, checkNames } from '../errors.ts'
import { readByIndex } from '../history/read-by-index.ts'
import { isWorkspaceId } from '../workspace-id.ts'

/** A workspace that has endpoints or API keys. */
export interface WorkspaceSummary {
  id: string
  /** Endpoints by status, of the first 1,000 of the workspace. */
  endpoints: { enabled: number; disabled: number }
}

export interface WorkspaceListOptions {
  /** Workspaces of a page: 1–1,000. */
  limit: number
  /** The id of the last workspace of the page before. @default the first page */
  after?: string | undefined
}

export const WORKSPACE_LIST_OPTIONS = { limit: 'number', after: 'text' } satisfies OptionNames<WorkspaceListOptions>

/** The workspaces of the installation, for operators. */
export interface WorkspaceList {
  /**
   * Lists the workspaces that have endpoints or API keys, expired keys included, by their ids in the order of the database. It reads a
   * few index entries for each workspace of the page and its endpoints, however many others there are.
   *
   * @throws {EngineError} `invalid_option`, `invalid_request`
   */
  list(options: WorkspaceListOptions): Promise<WorkspaceSummary[]>
}

const MAX_LIMIT = 1000
const MAX_COUNTED = 1000

export function createWorkspaceList(db: OutboxDatabase): WorkspaceList {
  return {
    async list(options) {
      checkNames('workspaces.list', WORKSPACE_LIST_OPTIONS, options)
      const { limit, after = '' } = options
      checkBounds('limit', limit, 1, MAX_LIMIT)
      if (after !== '' && !isWorkspaceId(after)) {
        throw new EngineError('invalid_request', 'after must be the id of the last workspace of the page before')
      }
      // From workspace to workspace, by one look-up in the index of each table.
      const { rows } = await readByIndex<ListedRow>(
        db,
        sqlText`
        with recursive step (id, place) as (
          select ${nextWorkspace(db, sqlText`cast(${after} as text)`)}, 1
          union all
          select ${nextWorkspace(db, raw('step.id'))}, step.place + 1
          from step where step.id is not null and step.place < ${limit})
        select step.id as "id", step.place as "place", ${countEndpoints(db, 'enabled')} as "enabled",
          ${countEndpoints(db, 'disabled')} as "disabled"
        from step where step.id is not null`,
      )
      return rows
        .toSorted((one, other) => one.place - other.place)
        .map(({ id, enabled, disabled }) => ({ id, endpoints: { enabled, disabled } }))
    },
  }
}

interface ListedRow {
  id: string
  place: number
  enabled: number
  disabled: number
}

const TABLES = ['keepsend_endpoints', 'keepsend_api_keys'] as const

function nextWorkspace({ dialect }: OutboxDatabase, after: SqlText): SqlText {
  const [endpoints, keys] = TABLES.map(
    (table) => sqlText`
            select workspace_id from ${raw(table)} ${dialect.by(`${table}_workspace`)}
            where workspace_id > ${after} order by workspace_id, id ${dialect.first(1)}`,
  )
  return sqlText`(
          select min(found.id) from (
            select (${endpoints ?? raw('')}) as id
            union all
            select (${keys ?? raw('')})) as found)`
}

/** An unknown status, written by hand, counts as disabled: the endpoint gets nothing. */
function countEndpoints({ dialect }: OutboxDatabase, status: 'enabled' | 'disabled'): SqlText {
  const is = raw(status === 'enabled' ? `counted.status = 'enabled'` : `counted.status <> 'enabled'`)
  return sqlText`(
          select count(case when ${is} then 1 end) from (
            select endpoint.status from keepsend_endpoints as endpoint ${dialect.by('keepsend_endpoints_workspace')}
            where endpoint.workspace_id = step.id ${dialect.first(MAX_COUNTED)}) as counted)`
}
