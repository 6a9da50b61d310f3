import { type Engine, allWorkspaces } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import { unlessOff } from '../history/unless-off.ts'
import { inTime } from '../site/in-time.ts'

/** The state of the installation that the navigation of each page shows, counted as far as `MOST_COUNTED`. */
export interface Signs {
  openProblems: number
  runningReplays: number
  /** When the last worker was seen; null: none in the last day. Undefined where the engine has no history. */
  workers: { count: number; seenAt: number | null } | undefined
}

export const MOST_COUNTED = 99
// Replays that are looked at: an older one seldom still runs.
const REPLAYS = 20
// A page is not shown later for their sake.
const MAX_WAIT_MS = 500

/** Reads the signs by three statements. Undefined if the database fails or does not answer soon: the page is shown without them. */
export async function readSigns(engine: Engine): Promise<Signs | undefined> {
  try {
    return await inTime(read(engine), MAX_WAIT_MS)
  } catch (error) {
    engine.logger.warn(errorFields(error), 'the counts of the navigation were not read; showing the page without them')
    return undefined
  }
}

async function read(engine: Engine): Promise<Signs> {
  const [problems, replays, workers] = await Promise.all([
    unlessOff(() => engine.problems.list(allWorkspaces, { state: 'open', limit: MOST_COUNTED + 1 })),
    engine.replays.list(allWorkspaces, { limit: REPLAYS }),
    unlessOff(() => engine.workers.list()),
  ])
  return {
    openProblems: problems?.rows.length ?? 0,
    runningReplays: replays.rows.filter(({ state }) => state === 'running').length,
    workers: workers && { count: workers.length, seenAt: workers[0]?.seenAt ?? null },
  }
}
