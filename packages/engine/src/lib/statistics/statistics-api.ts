import type { OptionNames } from '@keepsend/outbox/internal'
import type { LastError } from './last-errors.ts'
import type { Span } from './spans.ts'
import type { StatisticsRange } from './statistics-range.ts'
import type { StatisticsCounts } from './sums.ts'
import type { WorkspaceScope } from '../workspace-id.ts'
import type { Percentiles } from './total.ts'

export interface StatisticsSeriesOptions extends StatisticsRange {
  /** Only this endpoint. @default all of the workspace, or of all workspaces */
  endpointId?: string | undefined
  by: Span
}

export const STATISTICS_SERIES_OPTIONS = {
  since: 'number',
  until: 'number',
  endpointId: 'text',
  by: 'text',
} satisfies OptionNames<StatisticsSeriesOptions>

export interface StatisticsSummaryOptions extends StatisticsRange {
  /** 1–100. */
  endpointIds: readonly string[]
}

export const STATISTICS_SUMMARY_OPTIONS = {
  since: 'number',
  until: 'number',
  endpointIds: 'texts',
} satisfies OptionNames<StatisticsSummaryOptions>

/** The attempts of one minute, hour or day. */
export interface StatisticsBucket extends StatisticsCounts, Percentiles {
  /** Its beginning, ms since the epoch. */
  at: number
}

export interface StatisticsSeries {
  /** One for each minute, hour or day of the range, also for those without attempts; none after the present one. */
  buckets: StatisticsBucket[]
  /** False if the latest attempts are not counted: more than 10,000 are not added up yet. */
  complete: boolean
}

/** The attempts of one endpoint in a range: all together, and by hour. */
export interface EndpointStatistics extends StatisticsCounts, Percentiles {
  endpointId: string
  /** That of the call; of a call for all workspaces that of the endpoint: null if it is deleted. */
  workspaceId: string | null
  buckets: (StatisticsCounts & { at: number })[]
  /** In the range; null if there was none. */
  lastError: LastError | null
}

export interface StatisticsSummary {
  /** In the order of `endpointIds`; with zeros for an id without attempts. */
  endpoints: EndpointStatistics[]
  /** As in {@link StatisticsSeries}. */
  complete: boolean
}

/** The attempts of one workspace or of all, by time: see docs/statistics.md. */
export interface StatisticsStore {
  /**
   * Counts the attempts of a workspace, of all workspaces or of an endpoint, for each minute, hour or day (UTC) of a range of at most 1,500.
   *
   * @throws {EngineError} `invalid_request` for a range that is empty or too long; `not_retained` for one that begins too early,
   *   and if the engine has no statistics
   * @example
   * const { buckets } = await engine.statistics.series('ws_1', { by: 'hour', since: Date.now() - 86_400_000 })
   */
  series(workspaceId: WorkspaceScope, options: StatisticsSeriesOptions): Promise<StatisticsSeries>
  /**
   * Counts the attempts of up to 100 endpoints in a range of at most 48 hours, by hour and in all, and finds the last error of
   * each. Two statements, whatever their number; across all workspaces two, and one for each workspace that the endpoints are of.
   * Across all workspaces a deleted endpoint has zeros.
   *
   * @throws {EngineError} as `series` does
   */
  summary(workspaceId: WorkspaceScope, options: StatisticsSummaryOptions): Promise<StatisticsSummary>
}
