import { type OutboxDatabase, OutboxError } from '@keepsend/outbox'
import { endpointIdOf, replayStatement, sqlText } from '@keepsend/outbox/internal'
import {
  type ActionDeps,
  type ActingOption,
  ActionTransaction,
  BY_OPTION,
  type ByOption,
  targetIn,
} from '../audit/action.ts'
import type { CatalogVersions } from '../catalog/catalog-versions.ts'
import { EngineError, checkNames } from '../errors.ts'
import type { HistoryOptions } from '../history/history-options.ts'
import { checkWorkspaceId } from '../workspace-id.ts'
import { STATE, selectReplayed, toState } from './delivery-columns.ts'
import type { DeliveryState } from './delivery.ts'
import { insertAgain, whyNotRetained } from './insert-again.ts'

type Replay = (workspaceId: string, id: string, options?: ByOption & ActingOption) => Promise<DeliveryState>

/** Sends one settled delivery again. */
export function createReplay(
  deps: ActionDeps & { versions: Pick<CatalogVersions, 'oldest'> | undefined },
  history: HistoryOptions | undefined,
): Replay {
  const { db, versions } = deps
  return async (workspaceId, id, { acting, ...options } = {}) => {
    checkNames('deliveries.replay', BY_OPTION, options)
    const key = { workspaceId, id }
    const stored = await find(db, key)
    const replaying = stored
      ? replayStatement(db, { ids: [id], workspaceId })
      : history?.events && insertAgain(db, history, { ...key, oldest: versions?.oldest })
    if (!replaying) throw await whyNotRetained(db, history, key)
    const action = { verb: 'delivery.replay', workspaceId, endpointId: endpointIdOf(id), deliveryId: id } as const
    const transaction = new ActionTransaction(deps, action, { ...options, acting })
    const isThis = sqlText`id = ${id} and workspace_id = ${workspaceId}`
    if (stored) {
      const isSettled = sqlText`${isThis} and completed_at is not null`
      transaction.record(targetIn(db, 'pending_events', isSettled))
      // Nothing to store, if another replay was first, fails the transaction.
      transaction.answer(sqlText`select id from pending_events where ${isSettled}`)
    }
    const replayed = transaction.add(replaying)
    // Inserted: a row that existed before would have failed the transaction.
    if (!stored) transaction.record(targetIn(db, 'pending_events', isThis))
    transaction.answer(selectReplayed(db, { ...key, gen: stored && stored.gen + 1 }))
    const refused = await transaction.commit(db).then(
      () => replayed.rows.length === 0,
      (error: unknown) => {
        // If the delivery was not replayed there is no row to store as the answer, which fails the transaction; if another
        // replay has inserted its row, the insert fails.
        if ((acting?.once || !stored) && !(error instanceof OutboxError)) return error
        throw error
      },
    )
    const row = await find(db, key)
    if (!row) throw await whyNotRetained(db, history, key)
    if (refused === false) return row
    if (refused !== true && row.completedAt !== null) throw refused
    throw new EngineError('conflict', `the delivery is ${row.status}: only a settled one can be replayed`)
  }
}

async function find(
  db: OutboxDatabase,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<DeliveryState | undefined> {
  checkWorkspaceId(workspaceId)
  const { rows } = await db.run(
    sqlText`select ${STATE} from pending_events where id = ${id} and workspace_id = ${workspaceId}`,
  )
  return rows[0] && toState(rows[0])
}
