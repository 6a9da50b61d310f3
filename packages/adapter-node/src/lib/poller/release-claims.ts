import type { Engine } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import { type Claim, releaseEvents } from '@keepsend/outbox'
import { isLockTimeout } from '@keepsend/outbox/internal'

/**
 * Releases claims: their rows wait in their lanes again, and no attempt counts. If the database refuses, they are due when
 * their leases expire. Returns whether any were released.
 */
export async function releaseClaims(
  engine: Pick<Engine, 'db' | 'logger'>,
  claims: readonly Claim[],
  why: string,
): Promise<boolean> {
  if (claims.length === 0) return false
  const fields = { deliveries: claims.length }
  try {
    await releaseEvents(engine.db, claims)
    engine.logger.warn(fields, `released claims: ${why}`)
    return true
  } catch (error) {
    // A row that another session locks must not keep the others from being released: one statement each.
    if (claims.length > 1 && isLockTimeout(error)) {
      const released = await Promise.all(claims.map((claim) => releaseClaims(engine, [claim], why)))
      return released.includes(true)
    }
    engine.logger.error(
      { ...fields, ...errorFields(error) },
      'failed to release claims; they are due again when their leases expire',
    )
    return false
  }
}
