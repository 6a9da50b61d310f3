import { type ClaimResult, type OutboxDatabase, OutboxError, type SettleResult } from '@keepsend/outbox'
import { endpointIdOf, isLockTimeout } from '@keepsend/outbox/internal'
import { classOf } from '../error-classes.ts'
import { EngineError } from '../errors.ts'
import { lockedOf } from '../backlog/locks.ts'
import { type Logger, errorFields } from '../logger.ts'
import type { SettleNext } from './settle-deliveries.ts'
import type { FinishedDelivery } from '../outcome.ts'

/** An outcome, and what the database made of it. */
export interface SettledDelivery<F extends FinishedDelivery = FinishedDelivery> {
  finished: F
  /**
   * - `settled`: written.
   * - `lost`: another worker has the delivery; nothing was written.
   * - `refused`: the database is well and refuses this row, as it would every time; it is due again when its lease ends.
   * - `unsettled`: the database accepts nothing now. The row stands as it was; try again.
   * - `locked`: another session holds the row, or its endpoint's. It stands as it was; try again, with the same object,
   *   after `retryAfterMs`. Sooner costs nothing: it is answered `locked` without a look.
   */
  settle: 'settled' | 'lost' | 'refused' | 'unsettled' | 'locked'
  /** With `locked` alone. */
  retryAfterMs?: number | undefined
}

/** What {@link settleEach} came to. */
export interface SettleEachResult<F extends FinishedDelivery = FinishedDelivery> {
  /** One for each outcome, in order. */
  results: SettledDelivery<F>[]
  /** What the claim of the same commit took; empty without one, or when the group had to be tried again. */
  claimed: ClaimResult
  /** Why outcomes are `unsettled`. */
  storageError: unknown
}

type Settle = (finished: readonly FinishedDelivery[], next: SettleNext) => Promise<SettleResult>

// How long a locked row waits until it is looked at again: twice as long each time.
const FIRST_WAIT_MS = 500
const MAX_WAIT_MS = 15_000

/** How a worker settles. */
export type SettleEach = <F extends FinishedDelivery>(
  finished: readonly F[],
  next: SettleNext,
) => Promise<SettleEachResult<F>>

/**
 * Settles a group and the next claim in one commit. If that is refused: the group without the claim; and if the database
 * is well and refuses the group for one of its rows, row by row, so that one bad row cannot hold up its neighbours. After
 * a lost answer the second try finds the row gone, and that is `lost`: nothing is written twice.
 *
 * Rows that another session holds locked are left out as soon as the group was refused for one: they are found without
 * waiting for them, remembered, and looked at now and then, while the others and the claims go on.
 *
 * It rejects with what the database said when there was only a claim, and with `invalid_option` for an option of `next`.
 */
export function createSettleEach({
  db,
  settle,
  logger,
  monotonic,
}: {
  db: OutboxDatabase
  settle: Settle
  logger: Logger
  monotonic: () => number
}): SettleEach {
  const locked = new WeakMap<FinishedDelivery, { waitMs: number; until: number }>()

  /** Leaves out what is locked. */
  async function free<F extends FinishedDelivery>(finished: readonly F[]): Promise<F[]> {
    const ids = finished.map(({ claim }) => claim.id)
    const rows = await lockedOf(db, 'pending_events', ids)
    const endpoints = await lockedOf(db, 'keepsend_endpoints', ids.map(endpointIdOf))
    return finished.filter((one) => {
      const { id } = one.claim
      if (!rows.has(id) && !endpoints.has(endpointIdOf(id))) return true
      const waitMs = Math.min(MAX_WAIT_MS, (locked.get(one)?.waitMs ?? FIRST_WAIT_MS / 2) * 2)
      locked.set(one, { waitMs, until: monotonic() + waitMs })
      logger.warn(
        { deliveryId: id, outcome: one.outcome.kind, retryAfterMs: waitMs },
        'the row of a delivery, or of its endpoint, is locked by another session; its outcome is recorded later',
      )
      return false
    })
  }

  async function settleFree<F extends FinishedDelivery>(
    group: readonly F[],
    next: SettleNext,
  ): Promise<SettleEachResult<F>> {
    if (group.length === 0 && next.claim === undefined) return { results: [], claimed: NONE, storageError: undefined }
    try {
      return toEach(group, await settle(group, next), logger)
    } catch (error) {
      if (!isLockTimeout(error) || group.length === 0)
        return settleParts(settle, group, next, { refusal: error, logger })
      try {
        const others = await free(group)
        if (others.length < group.length) return await settleFree(others, next)
      } catch (storageError) {
        return { results: unsettled(group), claimed: NONE, storageError }
      }
      return settleParts(settle, group, next, { refusal: error, logger })
    }
  }

  return async (finished, next) => {
    const now = monotonic()
    const isDue = (one: FinishedDelivery): boolean => (locked.get(one)?.until ?? 0) <= now
    const known = finished.filter((one) => locked.has(one))
    const again = known.filter(isDue)
    if (again.length > 0) {
      try {
        await free(again)
      } catch (storageError) {
        return { results: unsettled(finished), claimed: NONE, storageError }
      }
    }
    const settled = await settleFree(known.length === 0 ? finished : finished.filter(isDue), next)
    if (settled.results.length === finished.length) return settled
    const results = new Map(settled.results.map((one) => [one.finished, one]))
    return {
      ...settled,
      results: finished.map((one) => {
        const retryAfterMs = Math.max(0, (locked.get(one)?.until ?? 0) - monotonic())
        return results.get(one) ?? { finished: one, settle: 'locked', retryAfterMs }
      }),
    }
  }
}

/** What a group came to that was refused with the error. */
async function settleParts<F extends FinishedDelivery>(
  settle: Settle,
  finished: readonly F[],
  next: SettleNext,
  { refusal, logger }: { refusal: unknown; logger: Logger },
): Promise<SettleEachResult<F>> {
  if (finished.length === 0 || isInvalidOption(refusal)) throw refusal
  // Without a claim the same group would be refused for the same row, unless it was the storage that refused.
  const isWorthRepeating = next.claim !== undefined || refusal instanceof OutboxError
  const then = isWorthRepeating ? 'trying it again' : 'retrying row by row'
  logger.warn({ ...errorFields(refusal), outcomes: finished.length }, `batch settle failed; ${then}`)
  if (isWorthRepeating) {
    try {
      return toEach(finished, await settle(finished, {}), logger)
    } catch (again) {
      // Not row by row: each would wait as long for the same refusal.
      if (again instanceof OutboxError) return { results: unsettled(finished), claimed: NONE, storageError: again }
      logger.warn({ ...errorFields(again), outcomes: finished.length }, 'batch settle failed; retrying row by row')
    }
  }
  const results: SettledDelivery<F>[] = []
  for (const [index, one] of finished.entries()) {
    try {
      results.push(...toEach([one], await settle([one], {}), logger).results)
    } catch (error) {
      if (isLockTimeout(error)) {
        results.push({ finished: one, settle: 'locked', retryAfterMs: 0 })
        continue
      }
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

const NONE: ClaimResult = { claims: [], exhausted: [] }

function isInvalidOption(error: unknown): boolean {
  return (error instanceof OutboxError || error instanceof EngineError) && error.code === 'invalid_option'
}

function unsettled<F extends FinishedDelivery>(finished: readonly F[]): SettledDelivery<F>[] {
  return finished.map((one) => ({ finished: one, settle: 'unsettled' }))
}

function toEach<F extends FinishedDelivery>(
  finished: readonly F[],
  { lost, claimed }: SettleResult,
  logger: Logger,
): SettleEachResult<F> {
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
export function logExhausted(logger: Logger, rows: ClaimResult['exhausted']): void {
  for (const { id, lastError } of rows) {
    // Without what follows the colon: they may be the receiver's own words.
    const error = lastError?.split(':')[0]
    logger.warn(
      { deliveryId: id, errorClass: classOf(lastError), error },
      'delivery failed: its attempts are exhausted',
    )
  }
}
