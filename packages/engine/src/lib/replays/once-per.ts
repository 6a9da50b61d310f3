import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, firstEventIdAt, sqlText } from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'

/** A new job with `oncePerMs`. */
export interface OncePer {
  workspaceId: string
  /** Empty: several endpoints. */
  endpointId: string
  oncePerMs: number
  /** By the database's clock. */
  now: number
}

/** Selects the last job of this endpoint within the time, of those that count. The time of a job is in its id. */
export function recentReplay(
  { dialect }: OutboxDatabase,
  { workspaceId, endpointId, oncePerMs, now }: OncePer,
): SqlText {
  const { where, newestFirst } = dialect.ofWorkspace(workspaceId, {
    after: firstEventIdAt(now - oncePerMs).replace('evt_', 'rep_'),
  })
  return sqlText`
        select created_at as "createdAt" from keepsend_replays ${dialect.by('keepsend_replays_workspace')}
        where ${where} and endpoint_id = ${endpointId}
          and (what <> 'ids' or planned > 1) and (ended_at is null or sent > 0)
        order by ${newestFirst} ${dialect.first(1)}`
}

/** The error if such a job exists. */
export async function findRecent(db: OutboxDatabase, once: OncePer): Promise<EngineError | undefined> {
  const { rows } = await db.run<{ createdAt: number }>(recentReplay(db, once))
  if (!rows[0]) return undefined
  const { createdAt } = rows[0]
  const nextAt = createdAt + once.oncePerMs
  const of = once.endpointId === '' ? 'of several endpoints' : 'of this endpoint'
  return new EngineError(
    'too_many_replays',
    `a replay ${of} began at ${new Date(createdAt).toISOString()}: the next may begin at ${new Date(nextAt).toISOString()}`,
    { retryAfterSeconds: Math.max(1, Math.ceil((nextAt - once.now) / 1000)) },
  )
}
