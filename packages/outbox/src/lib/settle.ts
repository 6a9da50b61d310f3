import type { Outcome, RescheduleReason, When } from './outcome.ts'
import type { OptionNames } from './options.ts'
import { checkNames } from './errors.ts'
import { type ClaimOptions, type ClaimResult, addClaim, readClaimed, takesOf } from './claim.ts'
import type { OutboxDatabase } from './database.ts'
import type { ClaimRecords } from './records.ts'
import { type ClaimRef, type SettleStatus, lostClaims } from './row.ts'
import type { TableOfItems } from './row-source.ts'
import { settleStatements } from './settle-statement.ts'
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
  /** The claims of outcomes that changed nothing, because another worker has claimed or settled the row: the given objects. */
  lost: ClaimRef[]
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
  const [take, ...otherTakes] = claim ? takesOf(claim) : []
  const [kind, ...otherKinds] = new Set(outcomes.map(({ settle }) => settle))
  // A claim can never take rows that were deleted or failed here, so both can be one statement, if the database has one. A
  // record reads the row as it was, which a delete returns and an update does not.
  const canBeOne = kind === 'complete' || (kind === 'fail' && !records)
  if (take && canBeOne && otherKinds.length + otherTakes.length === 0 && db.dialect.settleAndTake) {
    const refs = outcomes.map((outcome) => outcome.claim)
    const [failing] = kind === 'fail' ? settleStatements(db.dialect, outcomes, options.now) : []
    const recorded = records && ((table: TableOfItems) => records.within(table, refs))
    const { rows } = await db.run(db.dialect.settleAndTake(failing, refs, take, recorded))
    const lost = rows.filter(({ lostId }) => lostId !== null)
    return {
      lost: refs.filter(({ id, gen }) => lost.some(({ lostId, lostGen }) => lostId === id && lostGen === gen)),
      claimed: readClaimed(rows.flatMap(({ lostId, lostGen: _, ...row }) => (lostId === null ? [row] : []))),
    }
  }
  const transaction = new Transaction()
  if (records) transaction.addAll(records.before(db.dialect))
  const lost = addSettle(transaction, db, outcomes, { now: options.now })
  const claimed = claim && addClaim(transaction, db, claim)
  if (!transaction.isEmpty) await transaction.commit(db)
  return { lost: lost(), claimed: claimed?.() ?? readClaimed([]) }
}

/**
 * Adds the settles to the caller's transaction. Statements that need the claims to be current go before it, statements
 * that read the result after it.
 *
 * @returns a function to call after the commit, which returns the claims of outcomes that changed nothing
 */
export function addSettle(
  transaction: Transaction,
  db: Pick<OutboxDatabase, 'dialect'>,
  outcomes: readonly Outcome[],
  options: Omit<SettleOptions, 'claim' | 'records'> = {},
): () => ClaimRef[] {
  const handles = settleStatements(db.dialect, outcomes, options.now).map((statement) =>
    transaction.add<ClaimRef>(statement),
  )
  return () =>
    lostClaims(
      outcomes.map(({ claim }) => claim),
      handles.flatMap(({ rows }) => rows),
    )
}

async function settleOne(db: OutboxDatabase, outcome: Outcome, options: SettleOptions): Promise<SettleStatus> {
  const { lost } = await settleEvents(db, [outcome], options)
  return lost.length === 0 ? 'ok' : 'lost'
}
