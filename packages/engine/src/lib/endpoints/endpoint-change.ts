import { type OutboxDatabase, OutboxError, type SqlResult, Transaction } from '@keepsend/outbox'
import { type OptionNames, clock, sqlText } from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'
import type { IdempotentChange } from '../idempotency/idempotent-change.ts'

/** What a change of an endpoint may ask for. */
export interface ChangeOptions {
  /** The `version` that the caller has read: another by now refuses the change. @default any */
  ifVersion?: number | undefined
}

export const CHANGE_OPTIONS = { ifVersion: 'number' } satisfies OptionNames<ChangeOptions>

/** A change of an endpoint in several places, as one transaction. */
export interface EndpointChange {
  readonly transaction: Transaction
  /** After the commit: whether the endpoint is there. */
  readonly bumped: SqlResult
  /** @throws {EngineError} `precondition_failed` when the endpoint has another version than the one asked for */
  commit(db: OutboxDatabase): Promise<void>
}

/**
 * Begins a change of an endpoint. The version is raised first, so that two changes commit one after the other, and each
 * sees what the other wrote.
 */
export function changeOf(
  { workspaceId, id }: { workspaceId: string; id: string },
  { ifVersion }: ChangeOptions = {},
  once?: IdempotentChange,
): EndpointChange {
  const transaction = new Transaction()
  once?.begin(transaction)
  const mine = sqlText`id = ${id} and workspace_id = ${workspaceId}`
  // Another version makes the column null, which it must not be: the whole transaction is refused, on every database.
  const next =
    ifVersion === undefined ? sqlText`version + 1` : sqlText`case when version = ${ifVersion} then version + 1 end`
  const bumped = transaction.add(sqlText`
    update keepsend_endpoints set version = ${next}, updated_at = ${clock()} where ${mine}`)
  return {
    transaction,
    bumped,
    async commit(db) {
      try {
        await transaction.commit(db)
      } catch (error) {
        // What the storage says (a lost answer, too) is no word on the version: that may be our own by now.
        if (ifVersion === undefined || error instanceof OutboxError) throw error
        const { rows } = await db.run<{ version: number }>(
          sqlText`select version from keepsend_endpoints where ${mine}`,
        )
        const found = rows[0]?.version
        if (found === undefined || found === ifVersion) throw error
        throw new EngineError('precondition_failed', `the endpoint has version ${found} by now, not ${ifVersion}`, {
          cause: error,
        })
      }
    },
  }
}
