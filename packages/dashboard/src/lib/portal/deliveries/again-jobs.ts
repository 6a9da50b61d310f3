import type { ReplayJob } from '@keepsend/engine'
import type { PortalVisit } from '../portal-visit.ts'

/** A customer may start one job of an endpoint in this time. */
export const ONCE_PER_MS = 3_600_000

// Jobs of one delivery are among them: each "Send again" of a delivery is one.
const LATEST = 100

/** The jobs that send deliveries of an endpoint again. */
export interface AgainJobs {
  /** The one that has not ended. */
  unfinished: ReplayJob | undefined
  /** The last one, if it ended so short ago that no other may begin. */
  recent: ReplayJob | undefined
  /** When the customer may start the next, if that is later than now. */
  nextAt: number | undefined
}

/** Finds them among the latest of the workspace, by one statement. The engine decides when a job is made; this is for the page. */
export async function againJobsOf(
  { engine, workspaceId, reader: { now } }: PortalVisit,
  endpointId: string,
): Promise<AgainJobs> {
  const { rows } = await engine.replays.list(workspaceId, { limit: LATEST })
  const own = rows.filter((job) => job.endpointId === endpointId && (job.what !== 'ids' || job.planned > 1))
  // A job that ended without sending any does not count, as in `oncePerMs`.
  const last = own.find(({ endedAt, sent }) => endedAt === null || sent > 0)
  const isRecent = last !== undefined && last.createdAt + ONCE_PER_MS > now
  return {
    unfinished: own.find(({ endedAt }) => endedAt === null),
    recent: isRecent && last.endedAt !== null ? last : undefined,
    nextAt: isRecent ? last.createdAt + ONCE_PER_MS : undefined,
  }
}
