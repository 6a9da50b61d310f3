import { type SqlResult, Transaction, clock, sqlText } from '@keepsend/outbox'

/**
 * Begins a change of an endpoint in several places. The version is raised first, so that two such changes commit one
 * after the other; `bumped` says after the commit whether the endpoint is there.
 */
export function changeOf({ workspaceId, id }: { workspaceId: string; id: string }): {
  transaction: Transaction
  bumped: SqlResult
} {
  const transaction = new Transaction()
  const bumped = transaction.add(sqlText`
    update keepsend_endpoints set version = version + 1, updated_at = ${clock()}
    where id = ${id} and workspace_id = ${workspaceId}`)
  return { transaction, bumped }
}
