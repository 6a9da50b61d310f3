import { type Principal, keyIdOf } from './api-key.ts'
import { EngineError } from '../errors.ts'

/**
 * Counts the requests of each key in each second, in this process; those of a host's own principals by the workspace.
 *
 * @param perSecond undefined: there is no limit
 * @returns throws `too_many_requests` for one too many
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
        `at most ${perSecond} requests of a key are answered in a second (limits.requestsPerSecond)`,
        { retryAfterSeconds: 1 },
      )
    }
    counts.set(key, count)
  }
}
