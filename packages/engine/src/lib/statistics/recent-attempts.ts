import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, allOf, raw, sqlText } from '@keepsend/outbox/internal'
import { attemptTime, firstIdAt } from '../history/attempt-id.ts'
import { begin, doneTo } from './passes.ts'
import type { Span } from './spans.ts'
import { BIN_OF_ATTEMPT, COUNTS_OF_ATTEMPTS, SUMMED, sketchOf } from './sums.ts'

/** Whose sums to read. */
export type SumsScope =
  /** Of all endpoints together; undefined: of all workspaces. */
  | { workspaceId: string | undefined; endpoints?: undefined }
  /** One endpoint, or some of a workspace. */
  | { workspaceId: string; endpoints: string | readonly string[] }

/** Whole minutes, hours or days: times of the database. */
export interface SumsRange {
  by: Span
  since: SqlText
  until: SqlText
  /** Of every look at attempts: see `partitionBounds`. */
  bounds: readonly SqlText[]
}

// Those of the last one to two and a half minutes, if maintenance runs. They take 10 to 20 ms.
const MAX_ATTEMPTS = 10_000

/**
 * The tables `recent`, the oldest attempts that no pass has added up, and `recent_sums`, their sums in the form of
 * `keepsend_statistics`; and whether `recent` has all.
 */
export function recentAttempts(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { workspaceId, endpoints }: SumsScope,
  { by, since, until, bounds }: SumsRange,
): { tables: SqlText; isComplete: SqlText } {
  const after = sqlText`${dialect.greatest}(${doneTo({ source: 'attempt' })}, ${firstIdAt(dialect.name, since)} - 1)`
  const before = firstIdAt(dialect.name, until)
  const own = workspaceId === undefined ? [] : [sqlText`attempt.workspace_id = ${workspaceId}`]
  const ofEndpoints = endpoints === undefined ? [] : [sqlText`attempt.endpoint_id ${oneOf(dialect, endpoints)}`]
  // D1 has no index of all attempts of a workspace or an endpoint: there those of all are read.
  const among =
    dialect.isBilled || workspaceId === undefined
      ? { by: raw(''), where: sqlText`attempt.id > ${after} and attempt.id < ${before}`, order: raw('attempt.id') }
      : attemptsOf({ dialect }, { workspaceId, endpoints, after, before, bounds })
  const tables = sqlText`
    recent as materialized (
      select attempt.id, attempt.workspace_id, attempt.endpoint_id, attempt.outcome, attempt.reason, attempt.total_us
      from keepsend_attempts as attempt ${among.by} where ${allOf([among.where, ...bounds])} order by ${among.order} ${dialect.first(MAX_ATTEMPTS)}),
    recent_bins as (
      select ${endpoints === undefined ? raw(`''`) : raw('attempt.endpoint_id')} as endpoint_id,
        ${begin(by, attemptTime(dialect.name, raw('attempt.id')))} as at, ${BIN_OF_ATTEMPT} as bin, count(*) as n,
        ${COUNTS_OF_ATTEMPTS}
      from recent as attempt where ${allOf([raw('1 = 1'), ...own, ...ofEndpoints])} group by 1, 2, 3),
    recent_sums as (select endpoint_id, at, ${SUMMED}, ${sketchOf(dialect.name)} as sketch from recent_bins group by endpoint_id, at)`
  const isComplete = sqlText`(select case when count(*) < ${raw(String(MAX_ATTEMPTS))} then 1 else 0 end from recent)`
  return { tables, isComplete }
}

/** Follows a column: is this endpoint, or one of these. */
export function oneOf({ keys }: Pick<OutboxDatabase['dialect'], 'keys'>, ids: string | readonly string[]): SqlText {
  return typeof ids === 'string' ? sqlText`= ${ids}` : keys(ids)
}

/** The attempts between two ids of a workspace or an endpoint, in the order of its index. */
function attemptsOf(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  {
    workspaceId,
    endpoints,
    after,
    before,
    bounds,
  }: { workspaceId: string; endpoints: SumsScope['endpoints'] } & Ids & Pick<SumsRange, 'bounds'>,
): Record<'by' | 'where' | 'order', SqlText> {
  if (typeof endpoints !== 'string')
    return inIndex({ dialect }, { of: 'workspace', id: workspaceId }, { after, before })
  const { by, where, order } = inIndex({ dialect }, { of: 'endpoint', id: endpoints }, { after, before })
  // All attempts of an endpoint are of one workspace: another's are not read one by one to be left out.
  const owner = sqlText`(
        select attempt.workspace_id from keepsend_attempts as attempt ${by}
        where ${allOf([sqlText`attempt.endpoint_id = ${endpoints}`, ...bounds])} order by attempt.id desc ${dialect.first(1)})`
  return { by, where: sqlText`${where} and ${owner} = ${workspaceId}`, order }
}

interface Ids {
  after: SqlText
  before: SqlText
}

/**
 * Postgres compares rows: with two conditions it took the primary key, and passed by the attempts of every other workspace.
 * SQLite would use the first column of a row alone.
 */
function inIndex(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { of, id }: { of: 'workspace' | 'endpoint'; id: string },
  { after, before }: Ids,
): Record<'by' | 'where' | 'order', SqlText> {
  const by = dialect.by(`keepsend_attempts_${of}`)
  const column = raw(`attempt.${of}_id`)
  if (dialect.name === 'sqlite')
    return {
      by,
      where: sqlText`${column} = ${id} and attempt.id > ${after} and attempt.id < ${before}`,
      order: raw('attempt.id'),
    }
  const key = sqlText`(${column}, attempt.id)`
  return {
    by,
    where: sqlText`${key} > (${id}, ${after}) and ${key} < (${id}, ${before})`,
    order: sqlText`${column}, attempt.id`,
  }
}
