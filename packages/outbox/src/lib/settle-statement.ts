import type { Dialect } from './dialect.ts'
import { OutboxError } from './errors.ts'
import { byId } from './row-id.ts'
import type { ClaimRef } from './row.ts'
import type { Outcome } from './outcome.ts'
import { type SqlText, sqlText } from './statement.ts'
import { storable } from './storable.ts'
import { CLAIM_STANDS, SETTLED_CLAIM, settleSet } from './transitions.ts'

/** How one row leaves a claim: a row of the statement's table `move`. */
interface Move extends ClaimRef {
  status: 'pending' | 'failed' | 'held'
  /** Whether the attempt counts. */
  counts?: boolean
  /** Whether the receiver asked for this wait. */
  deferral?: boolean
  /** For `pending`: when it is due, from now or as a time. */
  delayMs?: number | null
  dueAt?: number | null
  error?: string | undefined
  httpStatus?: number | undefined
  holdReason?: string
}

/**
 * The one or two statements that settle these outcomes, whatever their number: a delete for those that complete, an
 * update for all others. Each returns the claims that were current.
 */
export function settleStatements(dialect: Dialect, outcomes: readonly Outcome[], now: number | undefined): SqlText[] {
  const deleted: ClaimRef[] = []
  const moves: Move[] = []
  for (const outcome of outcomes) {
    if (outcome.settle === 'complete') deleted.push(outcome.claim)
    else moves.push(moveOf(outcome))
  }
  const statements: SqlText[] = []
  if (deleted.length > 0) statements.push(dialect.deleteClaims(deleted))
  if (moves.length > 0) statements.push(moveStatement(dialect, moves, now))
  return statements
}

function moveStatement(dialect: Dialect, moves: readonly Move[], now: number | undefined): SqlText {
  // By key, so that two settles lock the same rows in the same order.
  const source = dialect.moves(moves.toSorted(byId), {
    claim_id: ['text', ({ id }) => id],
    claim_gen: ['integer', ({ gen }) => gen],
    to_status: ['text', ({ status }) => status],
    counts: ['integer', ({ counts }) => Number(counts ?? false)],
    deferral: ['integer', ({ deferral }) => Number(deferral ?? false)],
    delay_ms: ['integer', ({ delayMs }) => delayMs ?? null],
    to_due_at: ['integer', ({ dueAt }) => dueAt ?? null],
    error: ['text', ({ error }) => (error === undefined ? null : storable(error, MAX_ERROR_CHARACTERS))],
    http_status: ['integer', ({ httpStatus }) => httpStatus ?? null],
    held_for: [
      'text',
      ({ holdReason }) => (holdReason === undefined ? null : storable(holdReason, MAX_ERROR_CHARACTERS)),
    ],
  })
  return sqlText`
    ${source.with} update pending_events set ${settleSet(dialect, now)}
    from ${source.from}
    where ${source.where} ${CLAIM_STANDS}
    returning ${SETTLED_CLAIM}`
}

function moveOf(outcome: Exclude<Outcome, { settle: 'complete' }>): Move {
  const { id, gen } = outcome.claim
  switch (outcome.settle) {
    case 'fail':
      return { id, gen, status: 'failed', counts: true, error: outcome.error, httpStatus: outcome.httpStatus }
    case 'reschedule': {
      const { deferral = false, error, httpStatus } = outcome
      return { id, gen, ...dueOf(outcome), status: 'pending', counts: !deferral, deferral, error, httpStatus }
    }
    case 'hold':
      return {
        id,
        gen,
        status: 'held',
        holdReason: outcome.reason,
        error: outcome.error,
        httpStatus: outcome.httpStatus,
      }
    case 'release':
      return { id, gen, ...dueOf(outcome), status: 'pending' }
  }
}

// The largest time of a JavaScript Date. A number beyond 2^53 would reach the integer column as a float.
const MAX_TIME_MS = 8_640_000_000_000_000

function dueOf({
  delayMs,
  dueAt,
}: {
  delayMs?: number | undefined
  dueAt?: number | undefined
}): Pick<Move, 'delayMs' | 'dueAt'> {
  for (const [option, value] of Object.entries({ delayMs, dueAt })) {
    if (value !== undefined && !(value >= 0 && value <= MAX_TIME_MS)) {
      throw new OutboxError('invalid_option', `${option} must be milliseconds from 0 to ${MAX_TIME_MS}; found ${value}`)
    }
  }
  return {
    delayMs: delayMs === undefined ? null : Math.ceil(delayMs),
    dueAt: dueAt === undefined ? null : Math.ceil(dueAt),
  }
}

const MAX_ERROR_CHARACTERS = 1000
