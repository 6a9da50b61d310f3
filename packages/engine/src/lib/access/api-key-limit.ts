import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, isNullRefused, raw, sqlText } from '@keepsend/outbox/internal'
import { lockedEndpointsOf } from '../backlog/locks.ts'
import { EngineError } from '../errors.ts'

/** On Postgres keys of one workspace are inserted one after the other, so that each insert counts those before it. */
export function lockKeys(db: OutboxDatabase, workspaceId: string): SqlText[] {
  return db.dialect.name === 'postgres' ? [sqlText`select ${lockedEndpointsOf(db, workspaceId, workspaceId)}`] : []
}

/** The scopes of a new key; null, which refuses the whole change, if the workspace has as many keys as it may have. */
export function guardKeyCount(workspaceId: string, most: number, scopes: SqlText): SqlText {
  const valid = sqlText`
    select 1 from keepsend_api_keys as other
    where other.workspace_id = ${workspaceId} and (other.expires_at is null or other.expires_at > ${clock()})`
  return sqlText`case when (select count(*) from (${valid} limit ${raw(String(most))}) as counted) < ${raw(String(most))} then ${scopes} end`
}

/** Turns the refusal of the statement above into an error of the engine; returns any other error as it is. */
export function asKeyLimit(error: unknown, most: number): unknown {
  if (!isNullRefused(error, 'keepsend_api_keys', 'scopes')) return error
  return new EngineError(
    'too_many_api_keys',
    `a workspace has at most ${most} API keys that have not expired (limits.apiKeysPerWorkspace), and twice as many while it rotates them: revoke one`,
    { cause: error },
  )
}
