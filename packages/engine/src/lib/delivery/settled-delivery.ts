import type { ClaimResult, SettleResult } from '@keepsend/outbox'
import type { Logger } from '../logger.ts'
import type { FinishedDelivery } from '../outcome.ts'

/** An outcome, and whether it was written. */
export interface SettledDelivery<F extends FinishedDelivery = FinishedDelivery> {
  finished: F
  /**
   * - `settled`: written.
   * - `lost`: the lease was lost, another worker owns the delivery; nothing was written.
   * - `refused`: the database works but refuses this row, and would again; the row is due again when its lease expires.
   * - `unsettled`: the database accepts nothing now. The row is unchanged; settle it again.
   * - `locked`: another session has locked the row or its endpoint's row. The row is unchanged; settle it again, with the same
   *   object, after `retryAfterMs`. A try before that returns `locked` without a query.
   */
  settle: 'settled' | 'lost' | 'refused' | 'unsettled' | 'locked'
  /** In ms, with `locked` only. */
  retryAfterMs?: number | undefined
}

/** The result of {@link SettleEach}. */
export interface SettleEachResult<F extends FinishedDelivery = FinishedDelivery> {
  /** One for each outcome, in order. */
  results: SettledDelivery<F>[]
  /** The rows of the claim in the same commit; empty without a claim, or if the group had to be settled again. */
  claimed: ClaimResult
  /** The error of the database if outcomes are `unsettled`. */
  storageError: unknown
}

export const NONE: ClaimResult = { claims: [], exhausted: [] }

export function unsettled<F extends FinishedDelivery>(finished: readonly F[]): SettledDelivery<F>[] {
  return finished.map((one) => ({ finished: one, settle: 'unsettled' }))
}

export function toEach<F extends FinishedDelivery>(
  finished: readonly F[],
  { lost, claimed }: SettleResult,
  logger: Logger,
): SettleEachResult<F> {
  const gone = new Set(lost)
  for (const { id } of lost) {
    logger.warn({ deliveryId: id }, 'settle rejected: lease lost, another worker owns the delivery')
  }
  return {
    results: finished.map((one) => ({ finished: one, settle: gone.has(one.claim) ? 'lost' : 'settled' })),
    claimed,
    storageError: undefined,
  }
}
