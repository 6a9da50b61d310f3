import { EngineError } from '../errors.ts'

// A test waits up to a deadline of 30 s, outside of the queue's slots: so an endpoint's URL is no cannon here either.
const MOST = 16
const MOST_OF_WORKSPACE = 4

/** Runs work unless too much of its workspace, or in this process, is in flight. */
export interface TestSlots {
  /** @throws {EngineError} `too_many_requests` */
  run<T>(workspaceId: string, work: () => Promise<T>): Promise<T>
}

export function createTestSlots(): TestSlots {
  const inFlight = new Map<string, number>()
  let all = 0
  return {
    async run(workspaceId, work) {
      const own = inFlight.get(workspaceId) ?? 0
      if (all >= MOST || own >= MOST_OF_WORKSPACE) {
        throw new EngineError(
          'too_many_requests',
          `at most ${MOST_OF_WORKSPACE} tests of a workspace, and ${MOST} of this process, are in flight: wait for one to end`,
          { retryAfterSeconds: 1 },
        )
      }
      all++
      inFlight.set(workspaceId, own + 1)
      try {
        return await work()
      } finally {
        all--
        const left = (inFlight.get(workspaceId) ?? 1) - 1
        if (left === 0) inFlight.delete(workspaceId)
        else inFlight.set(workspaceId, left)
      }
    },
  }
}
