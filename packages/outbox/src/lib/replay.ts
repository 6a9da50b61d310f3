import type { OutboxDatabase } from './database.ts'
import { OutboxError, checkBounds } from './errors.ts'

/** Which settled rows to send again. At least one part must be set; parts are joined by "and". */
export interface ReplayFilter {
  ids?: readonly string[]
  workspaceId?: string
  endpointId?: string
  status?: 'failed' | 'completed'
  /** Settled at or after this time, ms since the epoch. */
  settledAfter?: number
  /** Settled before this time, ms since the epoch. */
  settledBefore?: number
}

/**
 * Puts settled rows back to pending, oldest settlement first: attempts 0, `gen` + 1, due now. Rows that are pending or
 * held are left alone. At most `limit` rows (1–10,000, default 1,000) a call: repeat while `more`.
 */
export async function replayEvents(
  db: OutboxDatabase,
  filter: ReplayFilter,
  options: { limit?: number; now?: number } = {},
): Promise<{ ids: string[]; more: boolean }> {
  const { limit = 1000, now } = options
  checkBounds('limit', limit, 1, 10_000)
  if (Object.values(filter).every((part) => part === undefined)) {
    throw new OutboxError(
      'invalid_option',
      'replayEvents needs a filter: ids, workspaceId, endpointId, status or a time',
    )
  }
  const { ids, workspaceId, endpointId, status, settledAfter, settledBefore } = filter
  const { rows } = await db.run(
    db.dialect.replay({ ids, workspaceId, endpointId, status, settledAfter, settledBefore, limit }, now),
  )
  return { ids: rows.map((row) => String(row['id'])), more: rows.length === limit }
}
