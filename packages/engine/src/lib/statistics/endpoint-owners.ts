import type { OutboxDatabase } from '@keepsend/outbox'
import { sqlText } from '@keepsend/outbox/internal'

/**
 * The workspaces of endpoints: the sums of an endpoint are found by its workspace. Within one workspace each is taken for its own,
 * without a look-up: the statements find nothing of another's.
 *
 * @param workspaceId undefined: all workspaces, and an endpoint that does not exist has none
 */
export async function ownersOf(
  db: OutboxDatabase,
  workspaceId: string | undefined,
  endpointIds: readonly string[],
): Promise<Map<string, string>> {
  if (workspaceId !== undefined) return new Map(endpointIds.map((id) => [id, workspaceId]))
  if (endpointIds.length === 0) return new Map()
  const { rows } = await db.run<{ id: string; workspaceId: string }>(sqlText`
    select id as "id", workspace_id as "workspaceId" from keepsend_endpoints where id ${db.dialect.keys(endpointIds)}`)
  return new Map(rows.map((row) => [row.id, row.workspaceId]))
}
