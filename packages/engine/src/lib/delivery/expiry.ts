import type { TakenEvent } from '@keepsend/outbox'
import { EXPIRED } from '@keepsend/outbox/internal'
import type { DeliveryError } from '../error-classes.ts'
import type { DeliveryOutcome } from '../outcome.ts'

type Times = Pick<TakenEvent, 'createdAt' | 'deliverAt' | 'expiresAt' | 'replayedAt'>

/** Why a delivery gets no attempt at this time; undefined: it may. */
export function expiredAt(event: Times, now: number, maxAgeMs: number): DeliveryError | undefined {
  const { createdAt, deliverAt, expiresAt, replayedAt } = event
  if (expiresAt !== null && now >= expiresAt) return `${EXPIRED}: its expiresAt has passed`
  const isOld = now - (replayedAt ?? deliverAt ?? createdAt) > maxAgeMs
  return isOld ? `${EXPIRED}: older than ${maxAgeMs} ms (maxAgeMs)` : undefined
}

/** The same outcome, or a failure in place of a retry that would begin when the delivery has expired. */
export function unlessExpired(outcome: DeliveryOutcome, { expiresAt }: Times, now: number): DeliveryOutcome {
  if (expiresAt === null || outcome.kind !== 'reschedule' || now + outcome.delayMs < expiresAt) return outcome
  const { delayMs: _, deferral: _free, ...ended } = outcome
  const endsAs: DeliveryError = `${EXPIRED}: another attempt would begin past its expiresAt; the last error: ${outcome.error}`
  return { ...ended, kind: 'fail', endsAs }
}
