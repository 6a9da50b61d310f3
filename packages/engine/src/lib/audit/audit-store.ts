import type { OutboxDatabase } from '@keepsend/outbox'
import {
  type OptionNames,
  type Row,
  type RowsInOrder,
  type SqlText,
  allOf,
  clock,
  firstEventIdAt,
  raw,
  sqlText,
} from '@keepsend/outbox/internal'
import { AUDIT_VERBS, type AuditVerb } from '../audit-verbs.ts'
import { auditRows } from '../codecs.ts'
import { EngineError, checkBounds, checkNames, checkOneOf } from '../errors.ts'
import { firstIdAt } from '../id-at.ts'
import type { Page } from '../page.ts'
import type { audit } from '../sqlite/tables.ts'
import { TIME_RANGE, type TimeRange, checkTimes } from '../time-range.ts'
import { type WorkspaceScope, readScope } from '../workspace-id.ts'

/** An action of a person. `at` is the database's time, ms since the epoch. */
export type AuditEntry = typeof audit.$inferSelect

/** `since` and `until` mean the time of the action. */
export interface AuditFilter extends TimeRange {
  /** Actions of a page: 1–1,000. */
  limit: number
  /** The `next` of the page before. */
  before?: string | undefined
  endpointId?: string | undefined
  verb?: AuditVerb | undefined
}

export const AUDIT_FILTER = {
  limit: 'number',
  before: 'text',
  endpointId: 'text',
  verb: 'text',
  ...TIME_RANGE,
} satisfies OptionNames<AuditFilter>

/** The actions of people in one workspace, or in all: see docs/audit.md. */
export interface AuditStore {
  /** Lists actions, newest first. `endpointId` and `verb` are compared row by row, at most 2,000 a page. */
  list(workspaceId: WorkspaceScope, filter: AuditFilter): Promise<Page<AuditEntry>>
}

const MAX_LIMIT = 1000
const MAX_READ = 2000

export function createAuditStore(db: OutboxDatabase, retentionMs: number): AuditStore {
  return {
    async list(scope, filter) {
      checkNames('audit.list', AUDIT_FILTER, filter)
      const { limit, endpointId, verb } = filter
      const workspaceId = readScope(scope)
      checkBounds('limit', limit, 1, MAX_LIMIT)
      checkTimes(filter)
      checkOneOf('verb', verb, AUDIT_VERBS)
      const compared = [raw('1 = 1')]
      if (endpointId !== undefined) compared.push(sqlText`entry.endpoint_id = ${endpointId}`)
      if (verb !== undefined) compared.push(sqlText`entry.verb = ${verb}`)
      const most = compared.length === 1 ? limit + 1 : MAX_READ
      const { by, where, newestFirst } = rangeOf(db, workspaceId, { ...filter, retentionMs })
      // The last row that was read is selected too: the next page begins after it.
      const { rows } = await db.run<Row & { isShown: number; nth: number }>(sqlText`
        with entry as materialized (
          select * from keepsend_audit ${by} where ${where} order by ${newestFirst} ${db.dialect.first(most)}),
        numbered as (
          select entry.*, case when ${allOf(compared)} then 1 else 0 end as is_shown,
            row_number() over (order by id desc) as nth
          from entry)
        select ${auditRows.some('numbered', auditRows.names)}, is_shown as "isShown", nth as "nth" from numbered
        where is_shown = 1 or nth = ${raw(String(most))} order by id desc ${db.dialect.first(limit + 1)}`)
      const reached = rows.find(({ nth }) => nth === most)
      const shown = rows
        .filter(({ isShown }) => isShown === 1)
        .map(({ isShown: _, nth: _nth, ...row }) => auditRows.read(row))
      if (shown.length > limit) {
        const page = shown.slice(0, limit)
        return { rows: page, next: page.at(-1)?.id, complete: true }
      }
      return { rows: shown, next: reached && String(reached['id']), complete: reached === undefined }
    },
  }
}

const ENTRY_ID = /^aud_[\da-f-]{1,36}$/

/** The rows of a list, by the index that has them in its order. */
function rangeOf(
  { dialect }: OutboxDatabase,
  workspaceId: string | undefined,
  { before = BEHIND_EVERY_ENTRY, since = 0, until, retentionMs }: Omit<AuditFilter, 'limit'> & { retentionMs: number },
): { by: SqlText; where: SqlText; newestFirst: RowsInOrder['newestFirst'] } {
  if (before !== BEHIND_EVERY_ENTRY && !ENTRY_ID.test(before))
    throw new EngineError('invalid_request', `before must be the next of an earlier page; found ${before}`)
  const last = until === undefined ? before : earlier(before, `aud_${firstEventIdAt(until).slice(4)}`)
  const oldest = sqlText`${dialect.greatest}(${clock()} - ${retentionMs}, cast(${Math.max(0, since)} as bigint))`
  const after = firstIdAt(dialect.name, 'aud_', oldest)
  if (workspaceId === undefined) {
    const where = sqlText`id > ${after} and id < ${last}`
    return { by: raw(''), where, newestFirst: raw('id desc') }
  }
  const range = dialect.ofWorkspace(workspaceId, { after, before: last })
  return { by: dialect.by('keepsend_audit_workspace'), ...range }
}

const BEHIND_EVERY_ENTRY = 'aud_~'

function earlier(one: string, other: string): string {
  return one < other ? one : other
}
