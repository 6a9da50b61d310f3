import type { TakenEvent } from '@keepsend/outbox'
import type { Logger } from '../logger.ts'
import { type Permits, slackMs } from '../backlog/rate-limit.ts'
import type { EndpointCache } from '../endpoints/endpoint-cache.ts'

/** What endpoints allow of rows that a worker has just taken. */
export interface Admission {
  /** The host of its URL, by endpoint: attempts at one are bounded, whoever's the endpoints are. */
  hosts: Map<string, string>
  /** Attempts at once, by endpoint; those without a limit of their own are not in it. */
  concurrency: Map<string, number>
  /** How long a row must wait for its slot time under a rate limit, in ms, by row. */
  waitMs: Map<string, number>
  /**
   * How much later than its slot time an attempt may begin, in ms, by endpoint: a hundredth of the period. What comes later
   * must ask again.
   */
  slackMs: Map<string, number>
  /**
   * Rows whose slot time is out of sight, and in how many ms to ask again for each: then it is near. What is asked for
   * later loses that time. A row that waits for long is held for `rate_limited` until then.
   */
  refused: Map<string, number>
}

/**
 * Asks for all rows together, before any of them takes a slot: what waits for its slot time keeps no slot from others. An
 * endpoint that cannot be read is left to the attempt, which reports it.
 */
export async function admitRows(
  { targets, permits, logger }: { targets: EndpointCache; permits: Permits; logger: Logger },
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
      const target = await targets.get(endpointId)
      if (!target) return
      if (target.host !== undefined) admission.hosts.set(endpointId, target.host)
      if (target.concurrency !== null) admission.concurrency.set(endpointId, target.concurrency)
      // What will be held for another reason needs no permit.
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
        logger.debug?.({ deliveryId: id, endpointId, nextMs: permit.nextMs }, 'rate limited; the delivery waits')
      } else admission.waitMs.set(id, permit.waitMs)
    }),
  )
  return admission
}
