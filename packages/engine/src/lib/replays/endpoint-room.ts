import type { OutboxDatabase } from '@keepsend/outbox'
import { sqlText } from '@keepsend/outbox/internal'
import { isPaused } from '../backlog/pause.ts'
import type { ReplayReason } from './replay-job.ts'

/** How much an endpoint takes now. */
export interface EndpointRoom {
  /** Why it takes nothing; null: it takes deliveries. */
  blockedFor: ReplayReason | null
  /** Rows that it may get before those that it has are sent. */
  rows: number
}

/**
 * Reads whether an endpoint takes deliveries, and for how many it has room: `most`, less its rows in line and held, which its settles
 * and its `resume_at` drain. Undefined: it does not exist.
 */
export async function roomOf(
  db: OutboxDatabase,
  { workspaceId, endpointId }: { workspaceId: string; endpointId: string },
  most: number,
): Promise<EndpointRoom | undefined> {
  const { dialect } = db
  const held = dialect.heldOf(sqlText`${endpointId}`)
  const line = dialect.inLane(sqlText`${workspaceId}`, sqlText`${endpointId}`)
  const { rows } = await db.run<{
    status: string
    circuit: string
    paused: number
    held: number
    inLine: number
  }>(sqlText`
    select endpoint.status as "status", endpoint.circuit as "circuit", case when ${isPaused('endpoint')} then 1 else 0 end as "paused",
      (select count(*) from (
        select 1 from pending_events ${dialect.by('pending_events_held')}
        where ${held.where} order by ${held.oldestFirst} ${dialect.first(most)}) as held) as "held",
      (select count(*) from (
        select 1 from pending_events ${dialect.by('pending_events_ready')}
        where ${line.where} order by ${line.order} ${dialect.first(most)}) as line) as "inLine"
    from keepsend_endpoints as endpoint where endpoint.id = ${endpointId} and endpoint.workspace_id = ${workspaceId}`)
  const [row] = rows
  if (!row) return undefined
  const blockedFor =
    row.status !== 'enabled'
      ? 'endpoint_disabled'
      : row.paused === 1
        ? 'endpoint_paused'
        : row.circuit === 'open'
          ? 'circuit_open'
          : null
  return { blockedFor, rows: most - row.held - row.inLine }
}
