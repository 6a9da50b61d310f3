import type { OutboxDatabase, Transaction } from '@keepsend/outbox'
import { clock, raw, sqlText } from '@keepsend/outbox/internal'
import type { Acting, ActingOption, ActionTransaction, ByOption } from '../audit/action.ts'
import type { AuditVerb } from '../audit-verbs.ts'
import { END_PAUSE, pauseSet, readPauseOptions } from '../backlog/pause.ts'
import { checkNames } from '../errors.ts'
import { resetHealth } from '../health/circuit-breaker.ts'
import type { BackgroundOption } from '../publish/dispatch.ts'
import { selectShown } from './endpoint-columns.ts'
import { type EndpointStore, type IdempotentEndpointStore, STATE_OPTIONS } from './endpoint-store-api.ts'

/** Which endpoint. */
export interface EndpointKey {
  workspaceId: string
  id: string
  /** The one that a change gives it. */
  uid?: string | null | undefined
}

/** Begins an action at an endpoint; it is recorded if the endpoint exists. */
export type BeginAction = (key: EndpointKey, verb: AuditVerb, options: ByOption & ActingOption) => ActionTransaction

/** Commits a change of an endpoint. */
export type CommitAction = (
  key: EndpointKey,
  change: Pick<Transaction, 'commit'>,
  acting: Acting | undefined,
) => Promise<void>

/** Enables, disables, pauses and resumes endpoints. */
export function createEndpointStates({
  db,
  get,
  begin,
  commit,
  resumeHeld,
}: {
  db: OutboxDatabase
  get: EndpointStore['get']
  begin: BeginAction
  commit: CommitAction
  resumeHeld: (id: string, background: BackgroundOption['background']) => Promise<void>
}): Pick<IdempotentEndpointStore, 'setStatus' | 'pause' | 'resume'> {
  return {
    async setStatus(workspaceId, id, status, { acting, ...options } = {}) {
      checkNames('endpoints.setStatus', STATE_OPTIONS, options)
      await get(workspaceId, id)
      const enabled = status === 'enabled'
      const transaction = begin({ workspaceId, id }, enabled ? 'endpoint.enable' : 'endpoint.disable', {
        ...options,
        acting,
      })
      transaction.add(sqlText`
          update keepsend_endpoints set status = ${status}, disabled_reason = ${enabled ? null : 'manual'},
            disabled_at = ${enabled ? null : clock()}, version = version + 1, resume_at = ${enabled ? clock() : null}, updated_at = ${clock()}
          where id = ${id} and workspace_id = ${workspaceId} and (status <> ${status} ${raw(enabled ? `or circuit = 'open' or paused_until is not null` : '')})`)
      if (enabled) transaction.add(resetHealth(id))
      transaction.answer(selectShown(db, { workspaceId, id }))
      await commit({ workspaceId, id }, transaction, acting)
      if (enabled) await resumeHeld(id, options.background)
      return get(workspaceId, id)
    },

    async pause(workspaceId, id, { acting, ...options } = {}) {
      const { forMs } = readPauseOptions(options)
      await get(workspaceId, id)
      const transaction = begin({ workspaceId, id }, 'endpoint.pause', { ...options, acting })
      transaction.add(sqlText`
          update keepsend_endpoints set pause_requested_at = null, ${pauseSet(db, sqlText`${clock()} + cast(${forMs} as bigint)`)},
            version = version + 1, updated_at = ${clock()}
          where id = ${id} and workspace_id = ${workspaceId}`)
      transaction.answer(selectShown(db, { workspaceId, id }))
      await commit({ workspaceId, id }, transaction, acting)
      return get(workspaceId, id)
    },

    async resume(workspaceId, id, { acting, ...options } = {}) {
      checkNames('endpoints.resume', STATE_OPTIONS, options)
      await get(workspaceId, id)
      const transaction = begin({ workspaceId, id }, 'endpoint.resume', { ...options, acting })
      transaction.add(sqlText`
          update keepsend_endpoints set ${END_PAUSE}, resume_at = case when status = 'enabled' then ${clock()} end,
            version = version + 1, updated_at = ${clock()}
          where id = ${id} and workspace_id = ${workspaceId} and paused_until is not null`)
      transaction.answer(selectShown(db, { workspaceId, id }))
      await commit({ workspaceId, id }, transaction, acting)
      await resumeHeld(id, options.background)
      return get(workspaceId, id)
    },
  }
}
