import { keyIdOf } from './api-key.ts'
import type { Principal } from './api-keys.ts'
import { EngineError } from '../errors.ts'

/**
 * Counts the requests of each API key in each second, in this process; for principals of the host, those of each workspace.
 *
 * @param perSecond undefined: no limit
 * @returns a function that throws `too_many_requests` beyond the limit
 */
export function createRequestLimit(
  perSecond: number | undefined,
  monotonic: () => number,
): (principal: Principal) => void {
  const counts = new Map<string, number>()
  let second = 0
  return (principal) => {
    if (perSecond === undefined) return
    const now = Math.floor(monotonic() / 1000)
    if (now !== second) counts.clear()
    second = now
    const key = keyIdOf(principal) ?? `of ${principal.workspaceId}`
    const count = (counts.get(key) ?? 0) + 1
    if (count > perSecond) {
      throw new EngineError(
        'too_many_requests',
        `the limit is ${perSecond} requests per second and key (limits.requestsPerSecond): wait a second`,
        { retryAfterSeconds: 1 },
      )
    }
    counts.set(key, count)
  }
}
