import type { OutboxDatabase } from './database.ts'
import { checkBounds } from './errors.ts'

/**
 * Lets out what is kept aside for one endpoint, oldest events first: pending and due now, at most `limit` rows.
 * Returns how many, and whether there may be more.
 */
export async function unholdEvents(
  db: OutboxDatabase,
  endpointId: string,
  options: { limit?: number | undefined; now?: number | undefined } = {},
): Promise<{ count: number; more: boolean }> {
  const { limit = 1000, now } = options
  checkBounds('limit', limit, 1, 10_000)
  const { rows } = await db.run(db.dialect.unhold(endpointId, limit, now))
  return { count: rows.length, more: rows.length === limit }
}
