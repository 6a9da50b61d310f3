import type { ActionDeps } from './audit/action.ts'
import type { Engine } from './engine-api.ts'
import { createAttemptStore } from './history/attempt-list.ts'
import type { HistoryOptions } from './history/history-options.ts'
import { createWorkspaceStore } from './history/workspace-retention.ts'
import { type IdempotentProblemStore, createProblemStore } from './problems/problem-store.ts'
import { createStatisticsStore } from './statistics/statistics-store.ts'
import { createWorkerList } from './workers.ts'
import { createWorkspaceList } from './workspaces/workspace-list.ts'

/** The parts of an engine that read what `history` records. */
export function createHistoryStores(
  deps: ActionDeps,
  history: HistoryOptions | undefined,
): Pick<Engine, 'attempts' | 'statistics' | 'workspaces' | 'workers'> & { problems: IdempotentProblemStore } {
  const { db } = deps
  return {
    attempts: createAttemptStore(db, history),
    statistics: createStatisticsStore(db, history),
    problems: createProblemStore(deps, history),
    workspaces: { ...createWorkspaceStore(deps, history), ...createWorkspaceList(deps.db) },
    workers: createWorkerList(db, history !== undefined),
  }
}
