import type { Engine } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import { extendLease } from '@keepsend/outbox'
import type { InFlight } from './in-flight.ts'

/**
 * Renews the leases of all claims in flight. A claim whose lease is lost belongs to another worker and does not start here.
 *
 * @param beginWithinMs how long after this query a renewed claim may start
 */
export async function renewLeases(
  { db, logger }: Pick<Engine, 'db' | 'logger'>,
  inFlight: InFlight,
  leaseMs: number,
  beginWithinMs: number,
): Promise<void> {
  try {
    const renewed = [...inFlight.claims]
    const claims = renewed.map(({ claim }) => claim)
    const beginBy = performance.now() + beginWithinMs
    const lost = new Set(await extendLease(db, claims, leaseMs))
    for (const one of renewed) if (!lost.has(one.claim)) one.beginBy = beginBy
    if (lost.size === 0) return
    // A settle of our own may just have been committed; after this tick its claims are no longer in flight.
    await nextTick()
    for (const one of renewed) {
      if (!lost.has(one.claim) || !inFlight.has(one)) continue
      inFlight.dropIfWaiting(one)
      logger.warn({ deliveryId: one.claim.id }, 'lease lost before the attempt ended; its outcome will be rejected')
    }
  } catch (error) {
    logger.error(errorFields(error), 'failed to renew leases; retrying before they expire')
  }
}

function nextTick(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
