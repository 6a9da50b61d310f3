import { type Claimed, OutboxError, type Settled } from '@keepsend/outbox'
import { EngineError } from './errors.ts'
import { type Logger, errorFields } from './logger.ts'
import type { FinishedDelivery, SettleNext } from './settle-deliveries.ts'

/** An outcome, and what the database made of it. */
export interface SettledDelivery<F extends FinishedDelivery = FinishedDelivery> {
  finished: F
  /**
   * - `settled`: written.
   * - `lost`: another worker has the delivery; nothing was written.
   * - `refused`: the database is well and refuses this row, as it would every time; it is due again when its lease ends.
   * - `unsettled`: the database accepts nothing now. The row stands as it was; try again.
   */
  settle: 'settled' | 'lost' | 'refused' | 'unsettled'
}

/** What {@link settleEach} came to. */
export interface SettledEach<F extends FinishedDelivery = FinishedDelivery> {
  /** One for each outcome, in order. */
  results: SettledDelivery<F>[]
  /** What the claim of the same commit took; empty without one, or when the group had to be tried again. */
  claimed: Claimed
  /** Why outcomes are `unsettled`. */
  storageError: unknown
}

/**
 * Settles a group and the next claim in one commit. If that is refused: the group without the claim; and if the database
 * is well and refuses the group for one of its rows, row by row, so that one bad row cannot hold up its neighbours. After
 * a lost answer the second try finds the row gone, and that is `lost`: nothing is written twice.
 *
 * @throws what the database said, when there was only a claim; `invalid_option` for an option of `next`
 */
export async function settleEach<F extends FinishedDelivery>(
  settle: (finished: readonly F[], next: SettleNext) => Promise<Settled>,
  finished: readonly F[],
  next: SettleNext,
  logger: Logger,
): Promise<SettledEach<F>> {
  try {
    return toEach(finished, await settle(finished, next), logger)
  } catch (error) {
    if (finished.length === 0 || isInvalidOption(error)) throw error
    // Without a claim the same group would be refused for the same row, unless it was the storage that refused.
    const isWorthRepeating = next.claim !== undefined || error instanceof OutboxError
    const then = isWorthRepeating ? 'trying it again' : 'retrying row by row'
    logger.warn({ ...errorFields(error), outcomes: finished.length }, `batch settle failed; ${then}`)
    if (isWorthRepeating) {
      try {
        return toEach(finished, await settle(finished, {}), logger)
      } catch (again) {
        // Not row by row: each would wait as long for the same refusal.
        if (again instanceof OutboxError) return { results: unsettled(finished), claimed: NONE, storageError: again }
        logger.warn({ ...errorFields(again), outcomes: finished.length }, 'batch settle failed; retrying row by row')
      }
    }
  }
  const results: SettledDelivery<F>[] = []
  for (const [index, one] of finished.entries()) {
    try {
      results.push(...toEach([one], await settle([one], {}), logger).results)
    } catch (error) {
      if (error instanceof OutboxError) {
        return { results: [...results, ...unsettled(finished.slice(index))], claimed: NONE, storageError: error }
      }
      logger.error(
        { deliveryId: one.claim.id, outcome: one.outcome.kind, ...errorFields(error) },
        'failed to record the outcome; the delivery will be retried when its lease expires',
      )
      results.push({ finished: one, settle: 'refused' })
    }
  }
  return { results, claimed: NONE, storageError: undefined }
}

const NONE: Claimed = { claims: [], dead: [] }

function isInvalidOption(error: unknown): boolean {
  return (error instanceof OutboxError || error instanceof EngineError) && error.code === 'invalid_option'
}

function unsettled<F extends FinishedDelivery>(finished: readonly F[]): SettledDelivery<F>[] {
  return finished.map((one) => ({ finished: one, settle: 'unsettled' }))
}

function toEach<F extends FinishedDelivery>(
  finished: readonly F[],
  { lost, claimed }: Settled,
  logger: Logger,
): SettledEach<F> {
  const gone = new Set(lost)
  for (const id of lost) {
    logger.warn({ deliveryId: id }, 'settle rejected: lease lost, another worker owns the delivery')
  }
  return {
    results: finished.map((one) => ({ finished: one, settle: gone.has(one.claim.id) ? 'lost' : 'settled' })),
    claimed,
    storageError: undefined,
  }
}

/** Says which deliveries a claim or a sweep has marked failed. */
export function logExhausted(logger: Logger, rows: Claimed['dead']): void {
  for (const { id, lastError } of rows) {
    // The error's code alone: the receiver's own words may follow it.
    logger.warn({ deliveryId: id, error: lastError?.split(':')[0] }, 'delivery failed: its attempts are exhausted')
  }
}
