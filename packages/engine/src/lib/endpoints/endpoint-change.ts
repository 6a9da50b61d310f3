import { type OutboxDatabase, OutboxError, type SqlResult } from '@keepsend/outbox'
import { type OptionNames, clock, sqlText } from '@keepsend/outbox/internal'
import { type ActingOption, type ActionDeps, ActionTransaction, BY_OPTION, type ByOption } from '../audit/action.ts'
import type { AuditVerb } from '../audit-verbs.ts'
import { EngineError } from '../errors.ts'

/** Options of a change of an endpoint. */
export interface ChangeOptions extends ByOption {
  /** The `version` that the caller has read: if the endpoint has another by now, the change is refused. @default any */
  ifVersion?: number | undefined
}

export const CHANGE_OPTIONS = { ifVersion: 'number', ...BY_OPTION } satisfies OptionNames<ChangeOptions>

/** A change of an endpoint, in one transaction. */
export interface EndpointChange {
  readonly transaction: ActionTransaction
  /** After the commit: whether the endpoint exists. */
  readonly bumped: SqlResult
  /** @throws {EngineError} `precondition_failed` when the endpoint's version is not `ifVersion` */
  commit(db: OutboxDatabase): Promise<void>
}

/**
 * Begins a change of an endpoint. The transaction raises the version first and so locks the row: concurrent changes commit
 * one after the other, and each sees the other's writes. Its action is not recorded yet.
 */
export function changeOf(
  deps: ActionDeps,
  { workspaceId, id, verb }: { workspaceId: string; id: string; verb: AuditVerb },
  options: ChangeOptions & ActingOption,
): EndpointChange {
  const { ifVersion } = options
  const transaction = new ActionTransaction(deps, { verb, workspaceId, endpointId: id }, options)
  const isThisEndpoint = sqlText`id = ${id} and workspace_id = ${workspaceId}`
  // With another version the column becomes null, which it must not be: every database then refuses the whole transaction.
  const next =
    ifVersion === undefined ? sqlText`version + 1` : sqlText`case when version = ${ifVersion} then version + 1 end`
  const bumped = transaction.add(sqlText`
    update keepsend_endpoints set version = ${next}, updated_at = ${clock()} where ${isThisEndpoint}`)
  return {
    transaction,
    bumped,
    async commit(db) {
      try {
        await transaction.commit(db)
      } catch (error) {
        // After an error of the storage, a lost answer included, the version says nothing: it may be our own.
        if (ifVersion === undefined || error instanceof OutboxError) throw error
        const { rows } = await db.run<{ version: number }>(
          sqlText`select version from keepsend_endpoints where ${isThisEndpoint}`,
        )
        const found = rows[0]?.version
        if (found === undefined || found === ifVersion) throw error
        const message = `the endpoint has version ${found}, not ${ifVersion}: read it again and repeat the change`
        throw new EngineError('precondition_failed', message, { cause: error })
      }
    },
  }
}
