import type { OutboxDatabase } from '@keepsend/outbox'
import { type OptionNames, type OptionsOf, type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import { type ActionDeps, ActionTransaction, BY_OPTION, type ByOption } from '../audit/action.ts'
import { EngineError, checkBounds, checkNames } from '../errors.ts'
import { hasIndex } from '../has-index.ts'
import { checkWorkspaceId } from '../workspace-id.ts'
import { hasFailed } from './attempt-end.ts'
import type { HistoryOptions } from './history-options.ts'

/** How long the history of one workspace is retained, in ms. */
export interface WorkspaceRetention {
  /** Attempts: 60,000 to the engine's `history.retentionMs`. @default as the engine */
  attemptsMs: number
  /** Headers and bodies of their responses: 60,000 to the engine's `history.bodiesRetentionMs`. @default as the engine */
  bodiesMs: number
}

export const WORKSPACE_RETENTION = {
  attemptsMs: 'number',
  bodiesMs: 'number',
} satisfies OptionNames<WorkspaceRetention>

/** Settings of workspaces. */
export interface WorkspaceStore {
  /**
   * Retains the history of a workspace for less time than the engine's, or with `null` for as long. Lists show nothing older
   * from this call on; maintenance deletes it in batches.
   *
   * @throws {EngineError} `not_retained`: the engine has no `history`, or D1 lacks the index that finds the attempts of a workspace
   */
  setRetention(workspaceId: string, retention: OptionsOf<WorkspaceRetention> | null, options?: ByOption): Promise<void>
  /** Reads how long the history of a workspace is retained. @throws {EngineError} `not_retained`: the engine has no `history` */
  getRetention(workspaceId: string): Promise<WorkspaceRetention>
}

const MIN_MS = 60_000

export function createWorkspaceStore(deps: ActionDeps, history: HistoryOptions | undefined): WorkspaceStore {
  const { db } = deps
  const { dialect } = db
  function required(): HistoryOptions {
    if (!history) throw new EngineError('not_retained', 'attempts are not recorded: this engine has no history')
    return history
  }
  return {
    async setRetention(workspaceId, retention, options = {}) {
      checkNames('workspaces.setRetention', WORKSPACE_RETENTION, retention ?? {})
      checkNames('the options of workspaces.setRetention', BY_OPTION, options)
      checkWorkspaceId(workspaceId)
      const { attempts, retentionMs, bodiesRetentionMs } = required()
      const { attemptsMs, bodiesMs } = retention ?? {}
      if (attemptsMs !== undefined) checkBounds('attemptsMs', attemptsMs, MIN_MS, retentionMs)
      if (bodiesMs !== undefined) checkBounds('bodiesMs', bodiesMs, MIN_MS, bodiesRetentionMs)
      if (dialect.isBilled && attempts === 'all' && !(await hasIndex(db, WORKSPACE_INDEX)))
        throw new EngineError('not_retained', NO_INDEX)
      const transaction = new ActionTransaction(
        deps,
        { verb: 'workspace.set_retention', workspaceId },
        options,
      ).record()
      transaction.add(sqlText`
        insert into keepsend_workspaces (id, attempts_ms, bodies_ms)
        values (${workspaceId}, cast(${attemptsMs ?? null} as bigint), cast(${bodiesMs ?? null} as bigint))
        on conflict (id) do update set attempts_ms = excluded.attempts_ms, bodies_ms = excluded.bodies_ms`)
      await transaction.commit(db)
    },

    async getRetention(workspaceId) {
      checkWorkspaceId(workspaceId)
      const { retentionMs, bodiesRetentionMs } = required()
      const { rows } = await db.run<{ attemptsMs: number | null; bodiesMs: number | null }>(sqlText`
        select attempts_ms as "attemptsMs", bodies_ms as "bodiesMs" from keepsend_workspaces where id = ${workspaceId}`)
      const attemptsMs = Math.min(rows[0]?.attemptsMs ?? Infinity, retentionMs)
      return { attemptsMs, bodiesMs: Math.min(rows[0]?.bodiesMs ?? Infinity, bodiesRetentionMs, attemptsMs) }
    },
  }
}

const WORKSPACE_INDEX = 'keepsend_attempts_workspace'
const NO_INDEX =
  'deleting the attempts of one workspace needs the indexes of 0004_history_lists.sql of @keepsend/engine, which D1 does not have by default: apply them, or record attempts: failed'

/** The index that finds the attempts of a workspace under `old`, and its condition: D1 may have only the one of failures. */
export async function attemptsOfWorkspace(db: OutboxDatabase): Promise<{ by: SqlText; where: SqlText }> {
  const isWhole = !db.dialect.isBilled || (await hasIndex(db, WORKSPACE_INDEX))
  return isWhole
    ? { by: db.dialect.by(WORKSPACE_INDEX), where: raw('1 = 1') }
    : { by: db.dialect.by('keepsend_attempts_failed'), where: hasFailed('old') }
}

/** A retention of a workspace: its own, if that is less than the engine's. */
export function ownRetention(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  column: 'attempts_ms' | 'bodies_ms',
  { workspaceId, mostMs }: { workspaceId: string | undefined; mostMs: number },
): SqlText {
  if (workspaceId === undefined) return sqlText`cast(${mostMs} as bigint)`
  return sqlText`
    coalesce((select ${dialect.least}(own.${raw(column)}, ${mostMs}) from keepsend_workspaces as own where own.id = ${workspaceId}), ${mostMs})`
}
