import type { ClaimRef, OutboxDatabase } from '@keepsend/outbox'
import {
  type ClaimRecord,
  type ClaimRecords,
  type ClaimSource,
  type DialectName,
  type SqlText,
  joined,
  raw,
  recordsOf,
  sqlText,
  storable,
} from '@keepsend/outbox/internal'
import { classOf } from '../error-classes.ts'
import type { AttemptRecord, FinishedDelivery } from '../outcome.ts'
import { type AttemptEnd, TEST_TYPE, attemptEnd } from './attempt-end.ts'
import { nextAttemptId } from './attempt-id.ts'
import type { HistoryOptions } from './history-options.ts'

/** An attempt, its claim and how it ended. */
export interface RecordedAttempt extends ClaimRef, AttemptRecord, AttemptEnd {}

/** The attempts of a settle that are recorded; undefined if there are none. */
export function attemptRecords(
  db: Pick<OutboxDatabase, 'dialect'>,
  history: HistoryOptions | undefined,
  finished: readonly FinishedDelivery[],
): ClaimRecords | undefined {
  if (!history) return undefined
  const attempts: RecordedAttempt[] = []
  for (const { claim, outcome } of finished) {
    const { record } = outcome
    const end = record && attemptEnd(outcome)
    if (end && (history.attempts === 'all' || end.outcome !== 'delivered'))
      attempts.push({ id: claim.id, gen: claim.gen, ...record, ...end })
  }
  return attempts.length === 0 ? undefined : recordsOf(attempts, RECORDS[db.dialect.name])
}

export const MAX_ERROR = 1000
const MAX_TEXT = 65_536

/** The columns that a worker knows, and that are not of the row. */
export const ATTEMPT_VALUES = {
  // A poller adds its own clock to the time of a claim: a fraction, which no integer column takes.
  started_at: ['integer', ({ startedAt }) => Math.floor(startedAt)],
  dns_us: ['integer', ({ response }) => micros(response?.timing?.dnsMs)],
  connect_us: ['integer', ({ response }) => micros(response?.timing?.connectMs)],
  tls_us: ['integer', ({ response }) => micros(response?.timing?.tlsMs)],
  first_byte_us: ['integer', ({ response }) => micros(response?.timing?.firstByteMs)],
  total_us: ['integer', ({ tookMs }) => micros(tookMs)],
  outcome: ['text', ({ outcome }) => outcome],
  http_status: ['integer', ({ httpStatus }) => httpStatus ?? null],
  error_class: ['text', ({ error, httpStatus }) => classOf(error ?? null, httpStatus)],
  error: ['text', ({ error }) => textOf(error, MAX_ERROR)],
  url: ['text', ({ url }) => url],
  headers: ['text', ({ response }) => textOf(response?.headers && JSON.stringify(response.headers), MAX_TEXT)],
  body: ['text', ({ response }) => textOf(response?.body, MAX_TEXT)],
} satisfies ClaimRecord<RecordedAttempt>['columns']

export function micros(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.max(0, Math.round(ms * 1000))
}

export function textOf(text: string | undefined, maxCharacters: number): string | null {
  return text === undefined ? null : storable(text, maxCharacters)
}

const VALUES = Object.keys(ATTEMPT_VALUES)
/** Begins an insert of attempts: the columns of the row, then {@link ATTEMPT_VALUES}. */
export const INSERT_ATTEMPTS = raw(
  `insert into keepsend_attempts (id, delivery_id, gen, workspace_id, endpoint_id, event_type, number, reason, queue_us, ${VALUES.join(', ')})`,
)

const TEST = raw(`'${TEST_TYPE}'`)
const ATTEMPTS_BEFORE = raw('claim.attempts - case when claim.claimed_at is null then 0 else 1 end')

// A Worker's clock says when the attempt began; the database's, when the row was due.
const GREATEST: Record<DialectName, SqlText> = { sqlite: raw('max'), postgres: raw('greatest') }

// A claim has counted its attempt, a message of a queue has not. The queue is measured for a first attempt alone: the row of
// a later one does not say when it was due.
function insertInto(dialect: DialectName): (source: ClaimSource) => SqlText {
  return ({ from, value, place }) => sqlText`
    ${INSERT_ATTEMPTS}
    select ${nextAttemptId(dialect, place)}, claim.id, claim.gen, claim.workspace_id, claim.endpoint_id, claim.event_type,
      claim.attempts + case when claim.claimed_at is null then 1 else 0 end,
      case when claim.event_type = ${TEST} then 'test' when claim.replayed_at is not null then 'replay'
        when ${ATTEMPTS_BEFORE} = 0 then 'publish' else 'retry' end,
      case when ${ATTEMPTS_BEFORE} = 0
        then ${GREATEST[dialect]}(0, ${value('started_at')} - coalesce(claim.replayed_at, claim.deliver_at, claim.created_at)) * 1000 end,
      ${joined(VALUES.map(value), ', ')}
    from ${from}`
}

const RECORDS = {
  sqlite: { columns: ATTEMPT_VALUES, insert: insertInto('sqlite') },
  postgres: { columns: ATTEMPT_VALUES, insert: insertInto('postgres') },
} satisfies Record<DialectName, ClaimRecord<RecordedAttempt>>
