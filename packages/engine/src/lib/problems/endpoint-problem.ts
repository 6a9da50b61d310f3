import type { OutboxDatabase } from '@keepsend/outbox'
import { type Row, type SqlText, clock, createCodec, raw, sqlText } from '@keepsend/outbox/internal'
import type { ErrorClass } from '../error-classes.ts'
import { jsonRow, readRow } from '../idempotency/idempotent-change.ts'
import type { problems } from '../sqlite/history-tables.ts'

/**
 * The failed attempts at one endpoint with one error class and one HTTP status:
 *
 * ```text
 *    the first failed attempt          a person
 *   ──────────────────────────► open ────────────► acknowledged
 *                               ▲  │ a person, or     │
 *        the next failed        │  │ 24 h without     │
 *        attempt (opened + 1)   │  ▼ a failed attempt │
 *                            resolved ◄───────────────┘
 * ```
 *
 * The passing of 24 hours is not written: a read derives it, and so does the upsert of the next failed attempt.
 */
export const PROBLEM_STATES = ['open', 'acknowledged', 'resolved'] as const

export type ProblemState = (typeof PROBLEM_STATES)[number]

/** A problem of an endpoint. Times are milliseconds since the epoch. */
export interface EndpointProblem extends Omit<typeof problems.$inferSelect, 'errorClass' | 'httpStatus'> {
  /** `prb_`, and the endpoint, the class and the status: the same whenever the problem opens again. */
  id: string
  errorClass: ErrorClass
  /** Null: there was no answer. */
  httpStatus: number | null
}

/** Without a failed attempt for this long, a problem is resolved. */
const QUIET_MS = raw('86400000')

/** The condition under which a problem is resolved at a time. */
export function isResolved(problem: string, now = clock()): SqlText {
  const it = raw(problem)
  return sqlText`(${it}.state = 'resolved' or ${it}.last_seen_at <= ${now} - ${QUIET_MS})`
}

const quiet = (row: string): string => `${row}last_seen_at <= ${clock().sql} - ${QUIET_MS.sql}`

const COLUMNS = {
  endpointId: 'endpoint_id',
  errorClass: 'error_class',
  httpStatus: { column: 'http_status', readAs: (row: string) => `nullif(${row}http_status, 0)` },
  workspaceId: 'workspace_id',
  state: { column: 'state', readAs: (row: string) => `case when ${quiet(row)} then 'resolved' else ${row}state end` },
  stateSince: {
    column: 'state_since',
    readAs: (row: string) =>
      `case when ${quiet(row)} and ${row}state <> 'resolved' then ${row}last_seen_at + ${QUIET_MS.sql} else ${row}state_since end`,
  },
  acknowledgedBy: 'acknowledged_by',
  opened: 'opened',
  firstSeenAt: 'first_seen_at',
  lastSeenAt: 'last_seen_at',
  attempts: 'attempts',
  deliveries: 'deliveries',
  lastError: 'last_error',
  lastDeliveryId: 'last_delivery_id',
} as const

/** The columns as they are read. */
export const problemRows = createCodec<typeof problems, Omit<EndpointProblem, 'id'>>(COLUMNS)

export function toProblem(row: Row): EndpointProblem {
  const read = problemRows.read(row)
  return { id: `prb_${read.endpointId}.${read.errorClass}.${read.httpStatus ?? 0}`, ...read }
}

/** The key of a problem. */
export type ProblemKey = readonly [endpointId: string, errorClass: string, httpStatus: number]

/** The key that an id names; undefined for a text that is no id. */
export function problemKeyOf(id: string): ProblemKey | undefined {
  const [, endpointId = '', errorClass = '', status] = /^prb_([\w-]+)\.(\w+)\.(\d{1,3})$/.exec(id) ?? []
  return status === undefined ? undefined : [endpointId, errorClass, Number(status)]
}

const ANSWERED = Object.keys(COLUMNS)

/** Selects a problem as one text for a stored answer; {@link readAnswered} parses it. */
export function selectAnswered(db: Pick<OutboxDatabase, 'dialect'>, where: SqlText): SqlText {
  return sqlText`
    select ${jsonRow(db, ANSWERED)} from (
      select ${problemRows.all} from keepsend_problems where ${where}) as answered`
}

export function readAnswered(answer: string): EndpointProblem {
  return toProblem(readRow(ANSWERED, answer))
}
