import type { OutboxDatabase } from '@keepsend/outbox'
import { EngineError, checkNames } from '../errors.ts'
import type { HistoryOptions } from '../history/history-options.ts'
import { readScope } from '../workspace-id.ts'
import { ownersOf } from './endpoint-owners.ts'
import { lastErrors } from './last-errors.ts'
import { readSums } from './read-sums.ts'
import type { SumsScope } from './recent-attempts.ts'
import { type Span, floorTo, spansOf } from './spans.ts'
import { readRange, timesIn } from './statistics-range.ts'
import {
  type EndpointStatistics,
  STATISTICS_SERIES_OPTIONS,
  STATISTICS_SUMMARY_OPTIONS,
  type StatisticsSeries,
  type StatisticsSeriesOptions,
  type StatisticsStore,
  type StatisticsSummary,
  type StatisticsSummaryOptions,
} from './statistics-api.ts'
import { Total, addCounts, noCounts } from './total.ts'

const MAX_BUCKETS = 1500
const MAX_HOURS = 48
const MAX_ENDPOINTS = 100
// The owner of an endpoint that does not exist: no workspace has this id.
const NOBODY = ''

export function createStatisticsStore(db: OutboxDatabase, history: HistoryOptions | undefined): StatisticsStore {
  const check = (by: Span): HistoryOptions => checkRetained(history, by, spansOf(db.dialect))
  return {
    async series(scope, options) {
      checkNames('statistics.series', STATISTICS_SERIES_OPTIONS, options)
      const workspaceId = readScope(scope)
      check(options.by)
      return seriesOf(db, workspaceId, options)
    },

    async summary(scope, options) {
      checkNames('statistics.summary', STATISTICS_SUMMARY_OPTIONS, options)
      const workspaceId = readScope(scope)
      return summaryOf(db, check('hour'), { workspaceId, ...options })
    },
  }
}

/** @param workspaceId undefined: all workspaces */
async function seriesOf(
  db: OutboxDatabase,
  workspaceId: string | undefined,
  { by, endpointId, ...range }: StatisticsSeriesOptions,
): Promise<StatisticsSeries> {
  const times = readRange(by, range, MAX_BUCKETS)
  const { now, complete, sums } = await readSums(db, await scopeOf(db, workspaceId, endpointId), times)
  const totals = new Map(timesIn(times, now).map((at) => [at, new Total()]))
  for (const one of sums) totals.get(floorTo(by, one.at))?.add(one)
  const buckets = [...totals].map(([at, total]) => ({ at, ...total.counts, ...total.percentiles() }))
  return { buckets, complete }
}

async function scopeOf(
  db: OutboxDatabase,
  workspaceId: string | undefined,
  endpointId: string | undefined,
): Promise<SumsScope> {
  if (endpointId === undefined) return { workspaceId }
  checkEndpointId(endpointId)
  const owners = await ownersOf(db, workspaceId, [endpointId])
  return { workspaceId: owners.get(endpointId) ?? NOBODY, endpoints: endpointId }
}

// The sums of all endpoints together are stored under the empty id.
function checkEndpointId(id: string): void {
  if (id === '') throw new EngineError('invalid_request', 'an endpoint id must not be empty')
}

/** @param workspaceId undefined: all workspaces */
async function summaryOf(
  db: OutboxDatabase,
  history: HistoryOptions,
  { workspaceId, endpointIds, ...range }: StatisticsSummaryOptions & { workspaceId: string | undefined },
): Promise<StatisticsSummary> {
  for (const id of endpointIds) checkEndpointId(id)
  if (endpointIds.length === 0 || endpointIds.length > MAX_ENDPOINTS)
    throw new EngineError(
      'invalid_request',
      `endpointIds must have 1 to ${MAX_ENDPOINTS} ids; found ${endpointIds.length}`,
    )
  const times = readRange('hour', range, MAX_HOURS)
  const owners = await ownersOf(db, workspaceId, endpointIds)
  const byOwner = Map.groupBy(endpointIds, (id) => owners.get(id) ?? NOBODY)
  const [errors, ...found] = await Promise.all([
    lastErrors(db, history, { ...times, workspaceId, endpointIds: [...owners.keys()] }),
    ...[...byOwner].map(([owner, endpoints]) => readSums(db, { workspaceId: owner, endpoints }, times)),
  ])
  const hours = timesIn(times, Math.max(...found.map(({ now }) => now)))
  const ofEndpoint = Map.groupBy(
    found.flatMap(({ sums }) => sums),
    ({ endpointId }) => endpointId,
  )
  const endpoints = endpointIds.map((endpointId): EndpointStatistics => {
    const whole = new Total()
    const byHour = new Map(hours.map((at) => [at, noCounts()]))
    for (const one of ofEndpoint.get(endpointId) ?? []) {
      const hour = byHour.get(floorTo('hour', one.at))
      if (!hour) continue
      addCounts(hour, one)
      whole.add(one)
    }
    const buckets = [...byHour].map(([at, counts]) => ({ at, ...counts }))
    const [owner, lastError] = [owners.get(endpointId) ?? null, errors.get(endpointId) ?? null]
    return { endpointId, ...whole.counts, ...whole.percentiles(), buckets, lastError, workspaceId: owner }
  })
  return { endpoints, complete: found.every(({ complete }) => complete) }
}

function checkRetained(history: HistoryOptions | undefined, by: Span, spans: readonly Span[]): HistoryOptions {
  if (!history) throw new EngineError('not_retained', 'attempts are not recorded: this engine has no history')
  if (!history.statistics)
    throw new EngineError('not_retained', 'attempts are not counted: this engine has no history.statistics')
  if (by === 'minute' && !spans.includes(by))
    throw new EngineError('not_retained', 'this database has no statistics by minute: ask by hour or day')
  return history
}
