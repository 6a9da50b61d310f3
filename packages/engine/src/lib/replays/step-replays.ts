import { type OptionNames, type Row, clock, sqlText } from '@keepsend/outbox/internal'
import { checkBounds, checkNames } from '../errors.ts'
import { JOB_LEASE_MS, claimJobs, nextDue } from '../jobs/due-jobs.ts'
import { type Logger, errorFields } from '../logger.ts'
import { type ReplayPosition, type Step, commitStep } from './commit-step.ts'
import { roomOf } from './endpoint-room.ts'
import { type ReplayReason, replayRows } from './replay-job.ts'
import { type SourceDeps, sourceOf } from './replay-source.ts'
import type { replays } from '../sqlite/tables.ts'

export interface StepReplaysOptions {
  /** Jobs that one call steps: 1–100. @default 10 */
  limit?: number | undefined
  /** Deliveries of an endpoint that wait at most because of replays: 2–1,000. @default 100 */
  batch?: number | undefined
  /** How often it is called, in ms: 1–60,000. A job with a rate catches up on this much time. @default 1000 */
  everyMs?: number | undefined
}

export const STEP_REPLAYS_OPTIONS = {
  limit: 'number',
  batch: 'number',
  everyMs: 'number',
} satisfies OptionNames<StepReplaysOptions>

export interface StepReplaysResult {
  /** Steps that took deliveries, which are held now: resume them. */
  steps: { replayId: string; endpointId: string }[]
  /** The time until the next step is due, in ms from now; null: no job is running. */
  nextMs: number | null
}

export interface StepDeps extends SourceDeps {
  logger: Logger
  /** Drops an endpoint from caches: it has a time to resume now. */
  forget: (endpointId: string) => void
}

// Between two steps of a job.
const APART_MS = 100
// Until a job looks again whose endpoint has no room.
const BUSY_MS = 150
// Reads of one job in a call, each of a bounded number of rows.
const MAX_READS = 20
// Endpoints of a job that are in work together: while one of them takes nothing, the others go on.
const MAX_OPEN = 100

type Job = typeof replays.$inferSelect & { now: number }

/**
 * Makes one step of each job that is due. A step takes at most what its endpoint has room for. Two processes do not step one job
 * together: each first moves `due_at` ahead; and whatever happens, `commitStep` lets one of them through.
 */
export async function stepReplays(deps: StepDeps, options: StepReplaysOptions = {}): Promise<StepReplaysResult> {
  checkNames('engine.worker.stepReplays', STEP_REPLAYS_OPTIONS, options)
  const { limit = 10, batch = 100, everyMs = 1000 } = options
  checkBounds('limit', limit, 1, 100)
  checkBounds('batch', batch, 2, 1000)
  checkBounds('everyMs', everyMs, 1, 60_000)
  const { db, logger } = deps
  const steps: StepReplaysResult['steps'] = []
  const dueInMs = await nextDue(db, 'keepsend_replays')
  if (dueInMs === null || dueInMs > 0) return { steps, nextMs: dueInMs }
  for (const { id: replayId, now, ...row } of await claimJobs<Row & Pick<Job, 'id' | 'now'>>(db, 'keepsend_replays', {
    columns: sqlText`${replayRows.all}, ${clock()} as "now"`,
    limit,
  })) {
    try {
      // Here: a row that was broken by hand stops its own job alone.
      const endpointId = await stepJob(deps, { ...replayRows.read({ id: replayId, ...row }), now }, { batch, everyMs })
      if (endpointId === undefined) continue
      deps.forget(endpointId)
      steps.push({ replayId, endpointId })
    } catch (error) {
      logger.error({ replayId, ...errorFields(error) }, 'a step of a replay failed; retrying')
    }
  }
  return { steps, nextMs: await nextDue(db, 'keepsend_replays') }
}

/** @returns the endpoint whose deliveries it took; undefined: it took none */
async function stepJob(
  deps: StepDeps,
  job: Job,
  { batch, everyMs }: { batch: number; everyMs: number },
): Promise<string | undefined> {
  const { db } = deps
  const source = sourceOf(deps, job)
  const commit = (step: Step): Promise<boolean> => commitStep(db, job, step)
  const pace = paceOf(job, everyMs)
  const open = [...job.position.open]
  let { walked } = job.position
  let reason: ReplayReason | null = null
  // Endpoints at the front of `open` that take nothing now.
  let passed = 0
  const position = (): ReplayPosition => ({ open, walked })
  const walkOn = async (): Promise<void> => {
    if (walked === null) return
    const next = await source.nextEndpoint(walked)
    walked = next ?? null
    if (next !== undefined) open.unshift([next, ''])
  }

  for (let reads = 0; reads < MAX_READS; reads++) {
    if (walked !== null && passed >= open.length && open.length < MAX_OPEN) {
      await walkOn()
      continue
    }
    const [current] = open
    if (!current) {
      await commit({ position: position(), nextInMs: undefined })
      return undefined
    }
    if (passed >= open.length) break
    const [endpointId, at] = current
    const room = await roomOf(db, { workspaceId: job.workspaceId, endpointId }, batch)
    if (!room && job.what !== 'ids') {
      open.shift()
      if (job.endpointId === '') continue
      await commit({ position: position(), nextInMs: undefined, endsAs: 'cancelled', reason: 'endpoint_deleted' })
      return undefined
    }
    // Small batches would cost a commit for each few deliveries.
    if (room && (room.blockedFor !== null || room.rows < batch / 4)) {
      reason ??= room.blockedFor
      open.push(current)
      open.shift()
      passed++
      continue
    }
    const limit = Math.min(room?.rows ?? batch, pace.most)
    const page = await source.page({ endpointId, position: at, limit })
    open.shift()
    if (!page.isLast) open.push([endpointId, page.position])
    passed = 0
    if (page.ids.length === 0) continue
    if (open.length === 0) await walkOn()
    const isLast = open.length === 0
    const pacedTo = pace.after(page.ids.length)
    const isTaken = await commit({
      position: position(),
      nextInMs: isLast ? undefined : Math.max(APART_MS, pacedTo - job.now),
      pacedTo,
      takes: {
        ids: page.ids,
        endpointId,
        inserts: source.inserts,
        exists: room !== undefined,
        oldest: deps.versions?.oldest,
      },
    })
    return isTaken && room ? endpointId : undefined
  }
  // A job that waits on is not written: it is looked at again when its lease ends.
  if (reason !== null && reason === job.reason && job.endpointId !== '') return undefined
  const nextInMs = reason !== null ? JOB_LEASE_MS : passed > 0 ? BUSY_MS : APART_MS
  await commit({ position: position(), nextInMs, reason })
  return undefined
}

/** How many deliveries the rate allows now, and up to when it is used after some. */
function paceOf(
  { rate, pacedTo, now }: Pick<Job, 'rate' | 'pacedTo' | 'now'>,
  everyMs: number,
): { most: number; after: (count: number) => number } {
  if (rate === null) return { most: Infinity, after: () => now }
  // Unused time is made up for, but no more than that between two calls.
  const from = Math.max(pacedTo, now - everyMs)
  const most = Math.max(1, Math.floor(((now - from) * rate) / 1000))
  return { most, after: (count) => from + (count * 1000) / rate }
}
