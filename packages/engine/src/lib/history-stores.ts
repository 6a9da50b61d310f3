import type { ActionDeps } from './audit/action.ts'
import type { DeliveryStore } from './deliveries/delivery-store.ts'
import type { Engine } from './engine-api.ts'
import { type CancelEvent, createCancelEvent } from './events/cancel-event.ts'
import { createEventStore } from './events/event-store.ts'
import { createAttemptStore } from './history/attempt-list.ts'
import type { HistoryOptions } from './history/history-options.ts'
import { createWorkspaceStore } from './history/workspace-retention.ts'
import { type IdempotentProblemStore, createProblemStore } from './problems/problem-store.ts'
import { createStatisticsStore } from './statistics/statistics-store.ts'
import { createWorkerList } from './workers.ts'
import { createWorkspaceList } from './workspaces/workspace-list.ts'

/** The parts of an engine that read what `history` records. */
export function createHistoryStores(
  deps: ActionDeps & { deliveries: DeliveryStore },
  history: HistoryOptions | undefined,
): Pick<Engine, 'events' | 'attempts' | 'statistics' | 'workspaces' | 'workers'> & {
  problems: IdempotentProblemStore
  cancelEvent: CancelEvent
} {
  const { db } = deps
  return {
    events: createEventStore(db, history, deps.deliveries),
    cancelEvent: createCancelEvent(db, history, deps.logger),
    attempts: createAttemptStore(db, history),
    statistics: createStatisticsStore(db, history),
    problems: createProblemStore(deps, history),
    workspaces: { ...createWorkspaceStore(deps, history), ...createWorkspaceList(deps.db) },
    workers: createWorkerList(db, history !== undefined),
  }
}
