import type { Outcome, RescheduleReason, When } from './outcome.ts'
import type { OptionNames } from './options.ts'
import { checkNames } from './errors.ts'
import { type ClaimOptions, type ClaimResult, addClaim, readClaimed, takesOf } from './claim.ts'
import type { OutboxDatabase } from './database.ts'
import type { ClaimRecords } from './records.ts'
import type { ClaimRef, SettleStatus } from './row.ts'
import type { TableOfItems } from './row-source.ts'
import { settleStatements } from './settle-statement.ts'
import type { SqlText } from './statement.ts'
import { Transaction } from './transaction.ts'

export interface SettleOptions {
  /** The next claim, in the same commit. */
  claim?: ClaimOptions | undefined
  /** Inserts to commit with the settle, for those of its claims that are current. @default none */
  records?: ClaimRecords | undefined
  /** The current time, ms since the epoch. @default the database's clock */
  now?: number | undefined
}

export const SETTLE_OPTIONS = {
  claim: 'any',
  records: 'any',
  now: 'number',
} satisfies OptionNames<SettleOptions>

export interface SettleResult {
  /** Ids of outcomes that changed nothing, because another worker has claimed or settled the row. */
  lost: string[]
  /** The rows that the claim of the same commit took; empty without one. */
  claimed: ClaimResult
}

/** Completes one claim: deletes its row. `'lost'` changes nothing. */
export async function completeEvent(db: OutboxDatabase, claim: ClaimRef): Promise<SettleStatus> {
  return settleOne(db, { settle: 'complete', claim }, {})
}

/** Fails one claim for good, with the reason. `'lost'` changes nothing. */
export async function failEvent(
  db: OutboxDatabase,
  claim: ClaimRef,
  options: { error: string; httpStatus?: number | undefined; now?: number | undefined },
): Promise<SettleStatus> {
  checkNames('failEvent', FAIL_OPTIONS, options)
  const { now, ...outcome } = options
  return settleOne(db, { settle: 'fail', claim, ...outcome }, { now })
}

export const FAIL_OPTIONS = { error: 'text', httpStatus: 'number', now: 'number' } satisfies OptionNames<
  Parameters<typeof failEvent>[2]
>

/**
 * Reschedules one claim. With `deferral` the receiver asked for the wait: it is counted apart, and the attempt does not
 * count.
 */
export async function rescheduleEvent(
  db: OutboxDatabase,
  claim: ClaimRef,
  options: When & RescheduleReason & { now?: number | undefined },
): Promise<SettleStatus> {
  checkNames('rescheduleEvent', RESCHEDULE_OPTIONS, options)
  const { now, ...outcome } = options
  return settleOne(db, { settle: 'reschedule', claim, ...outcome }, { now })
}

export const RESCHEDULE_OPTIONS = {
  delayMs: 'number',
  dueAt: 'number',
  error: 'text',
  httpStatus: 'number',
  deferral: 'boolean',
  now: 'number',
} satisfies OptionNames<Parameters<typeof rescheduleEvent>[2]>

/**
 * Settles many claims, with any mix of outcomes, in at most two statements and one commit, whatever their number. Only
 * the holder of a claim settles it: each row is matched by id, `gen` and `pending`. With `records` there are more
 * statements, in the same commit.
 */
export async function settleEvents(
  db: OutboxDatabase,
  outcomes: readonly Outcome[],
  options: SettleOptions = {},
): Promise<SettleResult> {
  checkNames('settleEvents', SETTLE_OPTIONS, options)
  const { claim, records } = options
  const settles = settleStatements(db.dialect, outcomes, options.now)
  const [only, ...others] = settles
  // A claim can never take rows that were deleted or failed here, so both can be one statement, if the database
  // has one.
  const isFinal = outcomes.every(({ settle }) => settle === 'complete' || settle === 'fail')
  const [take, ...otherTakes] = claim ? takesOf(claim) : []
  // A record reads the row as it was, which a delete returns and an update does not.
  const isDelete = outcomes.every(({ settle }) => settle === 'complete')
  const isOne = isFinal && others.length === 0 && otherTakes.length === 0 && (isDelete || !records)
  if (only && take && isOne && db.dialect.settleAndTake) {
    const refs = outcomes.map((outcome) => outcome.claim)
    const recorded = records && ((table: TableOfItems) => records.within(table, refs))
    const { rows } = await db.run(db.dialect.settleAndTake(isDelete ? undefined : only, refs, take, recorded))
    return {
      lost: rows.flatMap(({ lostId }) => (typeof lostId === 'string' ? [lostId] : [])),
      claimed: readClaimed(rows.flatMap(({ lostId, ...row }) => (lostId === null ? [row] : []))),
    }
  }
  const transaction = new Transaction()
  if (records) transaction.addAll(records.before(db.dialect))
  const lost = addStatements(transaction, settles, outcomes)
  const claimed = claim && addClaim(transaction, db, claim)
  if (!transaction.isEmpty) await transaction.commit(db)
  return { lost: lost(), claimed: claimed?.() ?? readClaimed([]) }
}

/**
 * Adds the settles to the caller's transaction. Statements that need the claims to be current go before it, statements
 * that read the result after it.
 *
 * @returns a function to call after the commit, which returns the ids of outcomes that changed nothing
 */
export function addSettle(
  transaction: Transaction,
  db: Pick<OutboxDatabase, 'dialect'>,
  outcomes: readonly Outcome[],
  options: Omit<SettleOptions, 'claim' | 'records'> = {},
): () => string[] {
  return addStatements(transaction, settleStatements(db.dialect, outcomes, options.now), outcomes)
}

function addStatements(
  transaction: Transaction,
  statements: readonly SqlText[],
  outcomes: readonly Outcome[],
): () => string[] {
  const handles = statements.map((statement) => transaction.add<{ id: string }>(statement))
  return () => {
    const current = new Set(handles.flatMap(({ rows }) => rows.map(({ id }) => id)))
    return outcomes.map(({ claim }) => claim.id).filter((id) => !current.has(id))
  }
}

async function settleOne(db: OutboxDatabase, outcome: Outcome, options: SettleOptions): Promise<SettleStatus> {
  const { lost } = await settleEvents(db, [outcome], options)
  return lost.length === 0 ? 'ok' : 'lost'
}
