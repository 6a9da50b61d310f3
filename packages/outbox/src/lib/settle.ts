import { type ClaimOptions, type Claimed, claimStatement, dueRows, readClaimed } from './claim.ts'
import type { Move, OutboxDatabase } from './database.ts'
import { OutboxError } from './errors.ts'
import { checkOptions } from './option-names.ts'
import type { OptionsOf } from './options.ts'
import type { ClaimRef, SettleResult } from './row.ts'
import type { SqlText, Statement } from './statement.ts'

/** How a claim ends. Texts are capped at 1,000 characters and stripped of what no database stores. */
export type Outcome = { claim: ClaimRef } & (
  | { settle: 'complete'; httpStatus?: number | undefined }
  | { settle: 'fail'; error: string; httpStatus?: number | undefined }
  | ({ settle: 'reschedule' } & RescheduleReason & When)
  /** Kept aside until `unholdEvents`; the attempt is refunded. */
  | { settle: 'hold'; reason: string; error?: string | undefined }
  /** Given back unused; the attempt is refunded. */
  | ({ settle: 'release' } & OptionsOf<When>)
)

/** From the database's clock, or a time. Give one. */
type When = { delayMs: number; dueAt?: undefined } | { dueAt: number; delayMs?: undefined }

interface RescheduleReason {
  error?: string | undefined
  httpStatus?: number | undefined
  deferral?: boolean | undefined
}

export interface SettleOptions {
  /** Keep completed rows, as `completed`, until clean-up; otherwise they are deleted. @default false */
  keepCompleted?: boolean | undefined
  /** Statements of the same atomic unit that hang on these claims: they run first, while the claims still stand. */
  before?: readonly Statement[] | undefined
  /** Statements of the same atomic unit that look at what the settle left. */
  after?: readonly Statement[] | undefined
  /** The next claim, in the same commit. */
  claim?: ClaimOptions | undefined
  /** The time to go by, ms since the epoch. @default the database's clock */
  now?: number | undefined
}

export interface Settled {
  /** Ids of outcomes that changed nothing, because another holds or has settled the row. */
  lost: string[]
  /** What the claim of the same commit took; empty without one. */
  claimed: Claimed
}

/** Completes one claim. `'lost'` changes nothing. */
export async function completeEvent(
  db: OutboxDatabase,
  claim: ClaimRef,
  options: Pick<SettleOptions, 'keepCompleted' | 'now'> & { httpStatus?: number | undefined } = {},
): Promise<SettleResult> {
  const { httpStatus, ...rest } = options
  return settleOne(db, { settle: 'complete', claim, ...(httpStatus !== undefined && { httpStatus }) }, rest)
}

/** Fails one claim for good, with the reason. `'lost'` changes nothing. */
export async function failEvent(
  db: OutboxDatabase,
  claim: ClaimRef,
  options: { error: string; httpStatus?: number | undefined; now?: number | undefined },
): Promise<SettleResult> {
  const { now, ...outcome } = options
  return settleOne(db, { settle: 'fail', claim, ...outcome }, now === undefined ? {} : { now })
}

/** Puts one claim off. With `deferral` the wait was the receiver's wish: counted apart, the attempt refunded. */
export async function rescheduleEvent(
  db: OutboxDatabase,
  claim: ClaimRef,
  options: When & RescheduleReason & { now?: number | undefined },
): Promise<SettleResult> {
  const { now, ...outcome } = options
  return settleOne(db, { settle: 'reschedule', claim, ...outcome }, now === undefined ? {} : { now })
}

/**
 * Settles many claims, mixed, in at most two statements and one commit, whatever their number. Only the holder of a
 * claim settles it: each row is matched by id, `gen` and `pending`.
 */
export async function settleEvents(
  db: OutboxDatabase,
  outcomes: readonly Outcome[],
  options: SettleOptions = {},
): Promise<Settled> {
  checkOptions('settleEvents', options)
  const { before = [], after = [], claim } = options
  const settle = settleStatements(db, outcomes, options)
  const [only, ...others] = settle
  const alone = others.length + before.length + after.length === 0 && outcomes.every(isFinal)
  if (only && claim && alone && db.dialect.settleAndTake) {
    const refs = outcomes.map((outcome) => outcome.claim)
    const { rows } = await db.run(db.dialect.settleAndTake(only, refs, dueRows(claim)))
    const lost = rows.flatMap(({ lostId }) => (typeof lostId === 'string' ? [lostId] : []))
    const taken = rows.flatMap(({ lostId, ...row }) => (lostId === null ? [row] : []))
    return { lost, claimed: readClaimed(taken) }
  }
  const statements: Statement[] = [...before, ...settle, ...after]
  if (claim) statements.push(claimStatement(db, claim))
  if (statements.length === 0) return { lost: [], claimed: readClaimed([]) }

  const results = await db.atomic(statements)
  const held = new Set(
    results.slice(before.length, before.length + settle.length).flatMap(({ rows }) => rows.map((row) => row['id'])),
  )
  return {
    lost: outcomes.map((outcome) => outcome.claim.id).filter((id) => !held.has(id)),
    claimed: readClaimed(claim ? (results.at(-1)?.rows ?? []) : []),
  }
}

/** The row is due no more, so a claim of the same unit need not see it. */
function isFinal({ settle }: Outcome): boolean {
  return settle === 'complete' || settle === 'fail'
}

async function settleOne(db: OutboxDatabase, outcome: Outcome, options: SettleOptions): Promise<SettleResult> {
  const { lost } = await settleEvents(db, [outcome], options)
  return lost.length === 0 ? 'ok' : 'lost'
}

function settleStatements(db: OutboxDatabase, outcomes: readonly Outcome[], options: SettleOptions): SqlText[] {
  const deleted: ClaimRef[] = []
  const moves: Move[] = []
  for (const outcome of outcomes) {
    if (outcome.settle === 'complete' && !options.keepCompleted) deleted.push(outcome.claim)
    else moves.push(move(outcome))
  }
  const statements: SqlText[] = []
  if (deleted.length > 0) statements.push(db.dialect.deleteSettled(deleted))
  if (moves.length > 0) statements.push(db.dialect.settle(moves, options.now))
  return statements
}

function move(outcome: Outcome): Move {
  const { id, gen } = outcome.claim
  const still = {
    id,
    gen,
    deferral: false,
    delayMs: null,
    dueAt: null,
    error: null,
    httpStatus: null,
    holdReason: null,
  }
  switch (outcome.settle) {
    case 'complete':
      return { ...still, status: 'completed', charged: true, httpStatus: outcome.httpStatus ?? null }
    case 'fail':
      return {
        ...still,
        status: 'failed',
        charged: true,
        error: storable(outcome.error),
        httpStatus: outcome.httpStatus ?? null,
      }
    case 'reschedule':
      return {
        ...still,
        ...when(outcome),
        status: 'pending',
        charged: !outcome.deferral,
        deferral: outcome.deferral ?? false,
        error: outcome.error === undefined ? null : storable(outcome.error),
        httpStatus: outcome.httpStatus ?? null,
      }
    case 'hold':
      return {
        ...still,
        status: 'held',
        charged: false,
        holdReason: storable(outcome.reason),
        error: outcome.error === undefined ? null : storable(outcome.error),
      }
    case 'release':
      return { ...still, ...when(outcome), status: 'pending', charged: false }
  }
}

// The last time a JavaScript Date can hold. A number beyond 2^53 would reach the integer column as a float.
const MAX_TIME_MS = 8_640_000_000_000_000

function when({
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

// Postgres refuses a NUL and a lone surrogate, and one refused text would undo the whole group.
function storable(text: string): string {
  return text.slice(0, MAX_ERROR_CHARACTERS).replaceAll('\0', '').toWellFormed()
}
