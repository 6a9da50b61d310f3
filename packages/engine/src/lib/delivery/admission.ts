import type { TakenEvent } from '@keepsend/outbox'
import type { Logger } from '../logger.ts'
import { type Permits, slackMs } from '../backlog/rate-limit.ts'
import type { EndpointCache } from '../endpoints/endpoint-cache.ts'

/** The limits of the endpoints of rows that a worker has just claimed. */
export interface Admission {
  /** The host of the endpoint's URL, by endpoint. A worker bounds the attempts at one host across all workspaces. */
  hosts: Map<string, string>
  /** Concurrent attempts, by endpoint; an endpoint without a limit of its own has no entry. */
  concurrency: Map<string, number>
  /** How long a row must wait for its slot time under a rate limit, in ms, by row. */
  waitMs: Map<string, number>
  /**
   * How much later than its slot time an attempt may begin, in ms, by endpoint: about a hundredth of the period. An attempt
   * that would begin later must be admitted again.
   */
  slackMs: Map<string, number>
  /**
   * Rows that got no slot time yet, and after how many ms to admit each again. Later than that its slot time is lost. A row
   * with a long wait should be held as `rate_limited`.
   */
  refused: Map<string, number>
}

/**
 * Admits all claimed rows together, before any of them takes a slot, so that a row that waits for its slot time takes no slot
 * from others. An endpoint that cannot be read is skipped: the attempt reports that.
 */
export async function admitRows(
  { endpointCache, permits, logger }: { endpointCache: EndpointCache; permits: Permits; logger: Logger },
  rows: readonly Pick<TakenEvent, 'id' | 'endpointId'>[],
): Promise<Admission> {
  const admission: Admission = {
    hosts: new Map(),
    concurrency: new Map(),
    waitMs: new Map(),
    slackMs: new Map(),
    refused: new Map(),
  }
  const ids = new Set(rows.map(({ endpointId }) => endpointId))
  const limited = new Set<string>()
  await Promise.allSettled(
    [...ids].map(async (endpointId) => {
      const target = await endpointCache.get(endpointId)
      if (!target) return
      if (target.host !== undefined) admission.hosts.set(endpointId, target.host)
      if (target.concurrency !== null) admission.concurrency.set(endpointId, target.concurrency)
      // A row that will be held for another reason needs no permit.
      if (target.rateLimit === null || !target.enabled || target.paused || target.health.circuit === 'open') return
      limited.add(endpointId)
      admission.slackMs.set(endpointId, slackMs(target.ratePeriod))
    }),
  )
  await Promise.allSettled(
    rows.map(async ({ id, endpointId }) => {
      if (!limited.has(endpointId)) return
      const permit = await permits.take(endpointId)
      if (permit.kind === 'refused') {
        admission.refused.set(id, permit.nextMs)
        logger.debug?.(
          { deliveryId: id, endpointId, nextMs: permit.nextMs },
          'rate limited; the delivery waits for its slot time',
        )
      } else admission.waitMs.set(id, permit.waitMs)
    }),
  )
  return admission
}
