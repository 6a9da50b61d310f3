import { type DialectName, type SqlText, createCodec, joined, raw, sqlText } from '@keepsend/outbox/internal'
import type { AttemptOutcome } from '../history/attempt-end.ts'
import type { statistics } from '../sqlite/history-tables.ts'
import { type Sketch, binOf } from './sketch.ts'
import type { Span } from './spans.ts'

/** Attempts of some time by their outcome; those of replays and of tests are counted apart. */
export interface StatisticsCounts {
  delivered: number
  /** Attempts that failed and were followed by another. */
  retried: number
  /** Attempts that did not count: the receiver asked for a wait, or nothing could be sent. */
  deferred: number
  /** Attempts that failed, and their delivery with them. */
  failed: number
  /** Attempts of replays, whatever their outcome. */
  replayed: number
  /** Attempts of test events, whatever their outcome. */
  tested: number
}

const OUTCOME_OF = {
  delivered: 'delivered',
  retried: 'retry',
  deferred: 'deferred',
  failed: 'failed',
} satisfies Partial<Record<keyof StatisticsCounts, AttemptOutcome>>

export const COUNT_NAMES = [...(Object.keys(OUTCOME_OF) as (keyof typeof OUTCOME_OF)[]), 'replayed', 'tested'] as const

type StatisticsRow = Omit<typeof statistics.$inferSelect, 'sketch'> & { sketch: Sketch }

/** The columns of `keepsend_statistics`. */
export const statisticsRows = createCodec<typeof statistics, StatisticsRow>({
  span: 'span',
  at: 'at',
  workspaceId: 'workspace_id',
  endpointId: 'endpoint_id',
  delivered: 'delivered',
  retried: 'retried',
  deferred: 'deferred',
  failed: 'failed',
  replayed: 'replayed',
  tested: 'tested',
  sketch: 'sketch',
})

// A superseded attempt is counted nowhere.
const STANDS = `attempt.outcome <> 'superseded'`
const IS_COUNTED = `attempt.reason <> 'replay' and attempt.reason <> 'test' and ${STANDS}`

/** `sum(…) as …` for each count, over rows of `attempt`. */
export const COUNTS_OF_ATTEMPTS = raw(
  [
    ...Object.entries(OUTCOME_OF).map(
      ([name, outcome]) =>
        `sum(case when attempt.outcome = '${outcome}' and ${IS_COUNTED} then 1 else 0 end) as ${name}`,
    ),
    `sum(case when attempt.reason = 'replay' and ${STANDS} then 1 else 0 end) as replayed`,
    `sum(case when attempt.reason = 'test' and ${STANDS} then 1 else 0 end) as tested`,
  ].join(', '),
)

/** The bin of an `attempt`; null for those of replays and tests, which are in no sketch. */
export const BIN_OF_ATTEMPT = sqlText`case when ${raw(IS_COUNTED)} then ${binOf(raw('attempt.total_us'))} end`

/** Every count of a table, by its name. */
export function countsOf(table: string): SqlText {
  return raw(COUNT_NAMES.map((name) => `${table}.${name} as ${name}`).join(', '))
}

/** The counts of a row that has only a bin. */
export const NO_COUNTS = raw(COUNT_NAMES.map((name) => `0 as ${name}`).join(', '))

/** The sum of every count. */
export const SUMMED = raw(COUNT_NAMES.map((name) => `cast(sum(${name}) as bigint) as ${name}`).join(', '))

// SQLite's functions of JSON, and Postgres'. A sketch is JSON text on each.
const JSON_OF = {
  sqlite: {
    group: (value: string) => `json_group_object(bin, ${value})`,
    each: (text: SqlText) => sqlText`json_each(${text})`,
  },
  postgres: {
    group: (value: string) => `json_object_agg(bin, ${value})`,
    each: (text: SqlText) => sqlText`json_each_text(cast(${text} as json))`,
  },
} satisfies Record<DialectName, object>

/** The rows `(key, value)` of a sketch, for a `from`. */
export function binsOf(dialect: DialectName, sketch: SqlText): SqlText {
  return JSON_OF[dialect].each(sketch)
}

/** The sketch of a group of rows `(bin, n)` without two of one bin. */
export function sketchOf(dialect: DialectName): SqlText {
  return raw(`coalesce(cast(${JSON_OF[dialect].group('n')} filter (where bin is not null) as text), '{}')`)
}

/** The statement that adds to the sums of a span, and makes those that are missing. */
export function addStatement(dialect: DialectName, span: Span, rows: SqlText): SqlText {
  const key = raw('at, workspace_id, endpoint_id')
  const names = COUNT_NAMES.join(', ')
  const added = COUNT_NAMES.map((name) => raw(`${name} = keepsend_statistics.${name} + excluded.${name}`))
  const both = joined(
    ['keepsend_statistics.sketch', 'excluded.sketch'].map(
      (sketch) =>
        sqlText`select entry.key as bin, cast(entry.value as bigint) as n from ${binsOf(dialect, raw(sketch))} as entry`,
    ),
    ' union all ',
  )
  return sqlText`
    insert into keepsend_statistics (span, ${key}, ${raw(names)}, sketch)
    with counted as (${rows}),
    binned as (select ${key}, bin, sum(n) as n, ${SUMMED} from counted group by ${key}, bin)
    select ${raw(`'${span}'`)}, ${key}, ${SUMMED}, ${sketchOf(dialect)} from binned group by ${key} order by ${key}
    on conflict (span, ${key}) do update set ${joined(added, ', ')}, sketch = (
      select ${sketchOf(dialect)}
      from (select bin, sum(n) as n from (${both}) as entries group by bin) as merged)`
}
