import type { PendingEvent } from '@keepsend/outbox'
import type { Permits } from './rate.ts'
import type { Targets } from './targets.ts'

/** What endpoints allow of rows that a worker has just taken. */
export interface Admission {
  /** Attempts at once, by endpoint; those without a limit of their own are not in it. */
  concurrency: Map<string, number>
  /** How long a row must wait for its moment under a rate limit, in ms, by row. */
  waitMs: Map<string, number>
  /** Rows whose moment is out of sight: to be held for `rate`. */
  refused: Set<string>
}

/**
 * Asks for all rows together, before any of them takes a slot: what waits for its moment keeps no slot from others. An
 * endpoint that cannot be read is left to the attempt, which reports it.
 */
export async function admit(
  { targets, permits }: { targets: Targets; permits: Permits },
  rows: readonly Pick<PendingEvent, 'id' | 'endpointId'>[],
): Promise<Admission> {
  const admission: Admission = { concurrency: new Map(), waitMs: new Map(), refused: new Set() }
  const ids = new Set(rows.map(({ endpointId }) => endpointId))
  const limited = new Set<string>()
  await Promise.allSettled(
    [...ids].map(async (endpointId) => {
      const target = await targets.get(endpointId)
      if (!target) return
      if (target.concurrency !== null) admission.concurrency.set(endpointId, target.concurrency)
      // What will be held for another reason needs no moment.
      if (target.rateLimit !== null && target.enabled && !target.paused && target.health.circuit === 'closed')
        limited.add(endpointId)
    }),
  )
  await Promise.allSettled(
    rows.map(async ({ id, endpointId }) => {
      if (!limited.has(endpointId)) return
      const permit = await permits.take(endpointId)
      if (permit === 'none') admission.refused.add(id)
      else admission.waitMs.set(id, permit.waitMs)
    }),
  )
  return admission
}
