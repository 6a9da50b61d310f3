import type { Engine } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import { extendLease } from '@keepsend/outbox'
import type { InFlight } from './in-flight.ts'

/**
 * Renews the leases of all that is in hand. What is lost is another's: it does not begin here.
 *
 * @param beginWithinMs for how long a renewed claim may begin, from the question on
 */
export async function renewLeases(
  { db, logger }: Pick<Engine, 'db' | 'logger'>,
  slots: InFlight,
  leaseMs: number,
  beginWithinMs: number,
): Promise<void> {
  try {
    const held = [...slots.claims]
    const claims = held.map(({ claim }) => claim)
    const beginBy = performance.now() + beginWithinMs
    const lost = new Set(await extendLease(db, claims, leaseMs))
    for (const one of held) if (!lost.has(one.claim.id)) one.beginBy = beginBy
    if (lost.size === 0) return
    // A settle of our own may have been committed just before; it gives its slots back within this turn.
    await nextTurn()
    for (const one of held) {
      if (!lost.has(one.claim.id) || !slots.has(one)) continue
      slots.dropIfWaiting(one)
      logger.warn({ deliveryId: one.claim.id }, 'a lease was lost before its attempt ended')
    }
  } catch (error) {
    logger.error(errorFields(error), 'leases could not be renewed; they hold until they end')
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
