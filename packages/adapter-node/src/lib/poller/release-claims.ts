import type { Engine } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import { type Claim, releaseEvents } from '@keepsend/outbox'
import { isLockTimeout } from '@keepsend/outbox/internal'

/**
 * Releases claims: in line again, and their attempts do not count. What the database does not take is due again when its
 * lease ends. Says whether any were released.
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
    engine.logger.warn(fields, `claims were given back: ${why}`)
    return true
  } catch (error) {
    // One row that another session holds locked keeps none of the others.
    if (claims.length > 1 && isLockTimeout(error)) {
      const released = await Promise.all(claims.map((claim) => releaseClaims(engine, [claim], why)))
      return released.includes(true)
    }
    engine.logger.error({ ...fields, ...errorFields(error) }, 'claims could not be given back; their leases will end')
    return false
  }
}
