import type { Endpoint, EndpointProblem, ReplayPlan } from '@keepsend/engine'
import { unlessOff } from '../../history/unless-off.ts'
import type { PortalVisit } from '../portal-visit.ts'

const MINUTE_MS = 60_000
// An endpoint has few problems at a time.
const MAX_PROBLEMS = 10

/** How an endpoint does now, and how many deliveries that concerns. */
export interface EndpointState {
  /** The last error, and when it began. */
  trouble: Trouble | undefined
  /** Deliveries that failed since then; undefined: nothing is wrong, or the endpoint is disabled. */
  failed: ReplayPlan | undefined
  /** Deliveries that wait for the endpoint; undefined: it takes them. */
  waiting: ReplayPlan | undefined
}

export interface Trouble {
  /** Undefined: without history only the time is known. */
  problem: EndpointProblem | undefined
  /** Whether all of them failed with the same error. */
  isOnly: boolean
  since: number
}

/** Reads the state by at most three calls, each of bounded reads; of an endpoint that works by one. */
export async function stateOf(
  { engine, workspaceId, reader: { now } }: PortalVisit,
  endpoint: Endpoint,
): Promise<EndpointState> {
  const endpointId = endpoint.id
  const dry = { endpointId, dryRun: true } as const
  const trouble = await troubleOf(endpoint, () =>
    engine.problems.list(workspaceId, { endpointId, limit: MAX_PROBLEMS }),
  )
  const isTaking =
    endpoint.status === 'enabled' &&
    endpoint.circuit === 'closed' &&
    (endpoint.pausedUntil === null || endpoint.pausedUntil <= now)
  return {
    trouble,
    failed:
      trouble && endpoint.status === 'enabled'
        ? await engine.replays.create(workspaceId, { ...dry, what: 'failed', since: trouble.since })
        : undefined,
    waiting: isTaking
      ? undefined
      : await engine.replays.create(workspaceId, { ...dry, what: 'matching', status: 'held' }),
  }
}

async function troubleOf(
  { failingSince }: Endpoint,
  read: () => Promise<{ rows: EndpointProblem[] }>,
): Promise<Trouble | undefined> {
  const listed = await unlessOff(read)
  const problems = (listed?.rows ?? []).filter(({ state }) => state !== 'resolved')
  const began = [failingSince, ...problems.map(({ firstSeenAt }) => firstSeenAt)].filter((at) => at !== null)
  if (began.length === 0) return undefined
  // A whole minute, as the page says it: what it counts begins then too.
  const since = Math.floor(Math.min(...began) / MINUTE_MS) * MINUTE_MS
  return { problem: problems[0], isOnly: problems.length === 1, since }
}
