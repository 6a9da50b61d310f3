import { MAX_IDS } from './replay-input.ts'
import type { ReplayPosition } from './commit-step.ts'
import type { ReplayPlan } from './replay-job.ts'
import type { Searched } from './replay-page.ts'
import { type SourceDeps, sourceOf } from './replay-source.ts'

const MAX_COUNTED = 10_000
// Reads of a count: D1 allows an invocation of the free plan 50.
const MAX_READS = 250
const MAX_BILLED_READS = 25

/** Counts the deliveries of a replay, in the way in which its steps find them. Writes nothing. */
export async function countPlanned(
  deps: SourceDeps,
  job: Searched,
  start: ReplayPosition,
): Promise<Pick<ReplayPlan, 'planned' | 'plannedMore'>> {
  if (job.ids) return { planned: job.ids.length, plannedMore: false }
  const source = sourceOf(deps, job)
  let [current] = start.open
  let { walked } = start
  let planned = 0
  for (let reads = deps.db.dialect.isBilled ? MAX_BILLED_READS : MAX_READS; reads > 0; reads--) {
    if (!current) {
      if (walked === null) return { planned, plannedMore: false }
      const next: string | undefined = await source.nextEndpoint(walked)
      walked = next ?? null
      if (next !== undefined) current = [next, '']
      continue
    }
    const [endpointId, at] = current
    const page = await source.page({ endpointId, position: at, limit: MAX_IDS })
    planned += page.ids.length
    if (planned > MAX_COUNTED) return { planned: MAX_COUNTED, plannedMore: true }
    current = page.isLast ? undefined : [endpointId, page.position]
  }
  return { planned, plannedMore: true }
}
