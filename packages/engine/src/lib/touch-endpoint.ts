import { type SqlText, clock, sqlText } from '@keepsend/outbox'

/** First of a unit that changes an endpoint in several places: two such units come one after the other. */
export function touchEndpoint(workspaceId: string, id: string): SqlText {
  return sqlText`
    update keepsend_endpoints set version = version + 1, updated_at = ${clock()}
    where id = ${id} and workspace_id = ${workspaceId}`
}
