import { type OutboxDatabase, OutboxError, type SettleResult } from '@keepsend/outbox'
import { endpointIdOf, isLockTimeout } from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'
import { lockedOf } from '../backlog/locks.ts'
import { type Logger, errorFields } from '../logger.ts'
import type { SettleNext } from './settle-deliveries.ts'
import type { FinishedDelivery } from '../outcome.ts'
import { NONE, type SettleEachResult, type SettledDelivery, toEach, unsettled } from './settled-delivery.ts'

type Settle = (finished: readonly FinishedDelivery[], next: SettleNext) => Promise<SettleResult>

// How long a locked row waits before it is settled again; doubles each time.
const FIRST_WAIT_MS = 500
const MAX_WAIT_MS = 15_000

/** See {@link createSettleEach}. */
export type SettleEach = <F extends FinishedDelivery>(
  finished: readonly F[],
  next: SettleNext,
) => Promise<SettleEachResult<F>>

/**
 * Creates a function that settles a group and takes the next claim in one commit. If the database refuses the commit:
 *
 * 1. it settles the group without the claim;
 * 2. if the storage refuses that too, it settles the group without its attempts;
 * 3. if the database works but refuses one of the rows, it settles row by row, so that one bad row does not block the others.
 *
 * If the answer of a commit was lost, the second try finds the row gone and returns `lost`: nothing is written twice.
 *
 * If the group was refused because another session has locked a row, the locked rows are found without waiting for them and
 * left out. The others are settled and claims continue; each locked row is settled again after a wait of its own. If none of them
 * is locked, one may have been unlocked meanwhile, and the group is settled once more. If that waits for a lock too, it may be the
 * history: the outcomes are settled without their attempts.
 *
 * The function rejects with the error of the database if there was only a claim, and with `invalid_option` for an option of
 * `next`.
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

  /** Returns the rows that no other session has locked, and lets the others wait. */
  async function withoutLocked<F extends FinishedDelivery>(finished: readonly F[]): Promise<F[]> {
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
        'delivery or endpoint row is locked by another session; its outcome will be recorded later',
      )
      return false
    })
  }

  async function settleUnlocked<F extends FinishedDelivery>(
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
        const others = await withoutLocked(group)
        if (others.length < group.length) return await settleUnlocked(others, next)
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
    const retried = known.filter(isDue)
    if (retried.length > 0) {
      try {
        await withoutLocked(retried)
      } catch (storageError) {
        return { results: unsettled(finished), claimed: NONE, storageError }
      }
    }
    const settled = await settleUnlocked(known.length === 0 ? finished : finished.filter(isDue), next)
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

/** Settles a group that was refused with this error: see {@link createSettleEach}. */
async function settleParts<F extends FinishedDelivery>(
  settle: Settle,
  finished: readonly F[],
  next: SettleNext,
  { refusal, logger }: { refusal: unknown; logger: Logger },
): Promise<SettleEachResult<F>> {
  if (finished.length === 0 || isInvalidOption(refusal)) throw refusal
  // The group alone is worth a second try only if the claim or the storage may have been the cause.
  const isWorthRepeating = next.claim !== undefined || refusal instanceof OutboxError
  const then = isWorthRepeating ? 'retrying it without the next claim' : 'retrying row by row'
  logger.warn({ ...errorFields(refusal), outcomes: finished.length }, `batch settle failed; ${then}`)
  if (isWorthRepeating) {
    try {
      return toEach(finished, await settle(finished, {}), logger)
    } catch (again) {
      // The storage fails: row by row, each try would wait as long for the same error.
      if (again instanceof OutboxError) {
        // Of the first time-out, no delivery and no endpoint was locked.
        const isHistoryLocked = isLockTimeout(refusal) && isLockTimeout(again)
        const bare = await settleWithoutAttempts(settle, finished, { refusal: again, isHistoryLocked, logger })
        return bare ?? { results: unsettled(finished), claimed: NONE, storageError: again }
      }
      logger.warn({ ...errorFields(again), outcomes: finished.length }, 'batch settle failed; retrying row by row')
    }
  }
  const results: SettledDelivery<F>[] = []
  for (const [index, one] of finished.entries()) {
    try {
      results.push({ finished: one, settle: await settleOne(settle, one, logger) })
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

/** Settles a group without its attempts, which may be locked, or have no room or no table; undefined if that is refused too. */
async function settleWithoutAttempts<F extends FinishedDelivery>(
  settle: Settle,
  finished: readonly F[],
  { refusal, isHistoryLocked, logger }: { refusal: OutboxError; isHistoryLocked: boolean; logger: Logger },
): Promise<SettleEachResult<F> | undefined> {
  const mayBeOfThem =
    isHistoryLocked || refusal.code === 'not_migrated' || (refusal.code === 'not_accepted' && !isLockTimeout(refusal))
  if (!mayBeOfThem || finished.every(({ outcome }) => !outcome.record)) return undefined
  const settled = await settle(finished.map(withoutRecord), {}).catch((error: unknown) => {
    const fields = { ...errorFields(error), outcomes: finished.length }
    logger.warn(fields, 'batch settle failed without its attempts too')
    return undefined
  })
  if (!settled) return undefined
  const fields = { ...errorFields(refusal), outcomes: finished.length }
  const why = isHistoryLocked ? ': another session has locked them' : ''
  logger.error(fields, `failed to record attempts${why}; their outcomes were recorded`)
  return toEach(finished, settled, logger)
}

/** Settles one row: with its attempt and problem, and if the database refuses that, without. History never costs a delivery. */
async function settleOne(settle: Settle, one: FinishedDelivery, logger: Logger): Promise<'settled' | 'lost'> {
  const only = async (each: FinishedDelivery): Promise<'settled' | 'lost'> =>
    toEach([each], await settle([each], {}), logger).results.every((result) => result.settle === 'settled')
      ? 'settled'
      : 'lost'
  if (!one.outcome.record) return only(one)
  try {
    return await only(one)
  } catch (error) {
    if (error instanceof OutboxError || isLockTimeout(error)) throw error
    const settled = await only(withoutRecord(one))
    logger.error(
      { deliveryId: one.claim.id, ...errorFields(error) },
      'failed to record an attempt; its outcome was recorded',
    )
    return settled
  }
}

function withoutRecord({ claim, outcome: { record: _, ...outcome } }: FinishedDelivery): FinishedDelivery {
  return { claim, outcome }
}

function isInvalidOption(error: unknown): boolean {
  return (error instanceof OutboxError || error instanceof EngineError) && error.code === 'invalid_option'
}
