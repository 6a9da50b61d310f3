import type { StatisticsBucket } from '@keepsend/engine'
import type { PlainKey } from '../language/text.ts'
import { BarChart, LogChart } from '../parts/chart.tsx'
import { type Reader, showDuration } from '../reader/reader.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const AXIS_LABELS = 5

/** A time that charts show. */
export interface ChartRange {
  name: PlainKey
  ms: number
  by: 'minute' | 'hour'
  column: PlainKey
}

export const CHART_RANGES: Readonly<Record<'1h' | '24h' | '7d', ChartRange>> = {
  '1h': { name: 'range.1h', ms: 60 * MINUTE_MS, by: 'minute', column: 'column.minute' },
  '24h': { name: 'range.24h', ms: DAY_MS, by: 'hour', column: 'column.hour' },
  '7d': { name: 'range.7d', ms: 7 * DAY_MS, by: 'hour', column: 'column.hour' },
}

/** The range of a query; 24 hours if it names none. */
export function rangeOf(asked: string): ChartRange {
  return new Map<string, ChartRange>(Object.entries(CHART_RANGES)).get(asked) ?? CHART_RANGES['24h']
}

/** The attempts of all buckets, and the percentiles of the latest that has some. */
export function totalOf(buckets: readonly StatisticsBucket[]) {
  const latest = buckets.findLast(({ p95Ms }) => p95Ms !== null)
  return {
    delivered: buckets.reduce((sum, { delivered }) => sum + delivered, 0),
    failed: buckets.reduce((sum, { failed }) => sum + failed, 0),
    retried: buckets.reduce((sum, { retried }) => sum + retried, 0),
    p50Ms: latest?.p50Ms ?? null,
    p95Ms: latest?.p95Ms ?? null,
  }
}

/** Attempts by outcome, and how long they took. */
export function AttemptCharts({
  buckets,
  range,
  reader,
}: {
  buckets: readonly StatisticsBucket[]
  range: ChartRange
  reader: Reader
}) {
  const { text, times } = reader
  const isLong = range.ms > DAY_MS
  const names = buckets.map(({ at }) => (isLong ? `${times.day(at)}, ${times.minute(at)}` : times.minute(at)))
  const axis = Array.from({ length: AXIS_LABELS }, (_, at) => {
    const bucket = buckets[Math.round((at * (buckets.length - 1)) / (AXIS_LABELS - 1))]
    return at === AXIS_LABELS - 1
      ? text('chart.now')
      : bucket
        ? isLong
          ? times.day(bucket.at)
          : times.minute(bucket.at)
        : ''
  })
  const of = (name: 'delivered' | 'retried' | 'failed'): number[] => buckets.map((bucket) => bucket[name])
  const shared = { buckets: names, axis, column: text(range.column), isLastPartial: true, reader }
  const lastOf = (values: readonly (number | null)[]): string => {
    const last = values.findLast((value) => value !== null)
    return last === undefined || last === null ? '–' : showDuration(reader, last)
  }
  const percentile = (tone: '' | 'b' | 'c', name: 'p50Ms' | 'p95Ms' | 'p99Ms') => {
    const values = buckets.map((bucket) => bucket[name])
    return { tone, name: name.slice(0, 3), values, last: lastOf(values) }
  }
  return (
    <div class="grid2 rule">
      <BarChart
        {...shared}
        id="h-outcomes"
        title={text('overview.by_outcome')}
        sentence={text('overview.by_outcome_said', {
          delivered: totalOf(buckets).delivered,
          failed: totalOf(buckets).failed,
        })}
        series={[
          { tone: 'f-ok', name: text('state.delivered'), values: of('delivered') },
          { tone: 'f-retry', name: text('overview.retried'), values: of('retried') },
          { tone: 'f-fail', name: text('state.failed'), values: of('failed') },
        ]}
      />
      <LogChart
        {...shared}
        id="h-latency"
        title={
          <>
            {text('overview.latency')} <span class="sub">{text('overview.latency_what')}</span>
          </>
        }
        sentence={text('overview.latency_said')}
        show={(value) => showDuration(reader, value)}
        series={[percentile('', 'p50Ms'), percentile('b', 'p95Ms'), percentile('c', 'p99Ms')]}
      />
    </div>
  )
}
