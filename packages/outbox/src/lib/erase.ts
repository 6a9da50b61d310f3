import type { OutboxDatabase } from './database.ts'
import { eventRange } from './row-id.ts'
import { type SqlText, sqlText } from './statement.ts'

/** Which deliveries of a workspace to erase: those of these ids, or all of one event. */
export type EraseRows = { workspaceId: string } & ({ ids: readonly string[] } | { eventId: string })

/** The condition of the rows. */
export function rowsToErase({ dialect }: Pick<OutboxDatabase, 'dialect'>, rows: EraseRows): SqlText {
  const these = 'ids' in rows ? sqlText`pending_events.id ${dialect.keys(rows.ids)}` : eventRange(rows.eventId)
  return sqlText`${these} and pending_events.workspace_id = ${rows.workspaceId}`
}

/** Deletes deliveries for good, in every state: a worker that has one in flight loses its settle. */
export function eraseStatement(db: Pick<OutboxDatabase, 'dialect'>, rows: EraseRows): SqlText {
  return sqlText`delete from pending_events where ${rowsToErase(db, rows)}`
}
