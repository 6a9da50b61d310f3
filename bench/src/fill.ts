import { type LaneRef, type OutboxDatabase, nextDueEvent } from '@keepsend/outbox'
import { firstEventIdAt, sqlText } from '@keepsend/outbox/internal'
import { payloadOf } from './event.ts'

/** The kinds of rows in a backlog. */
export type Kind = 'pending' | 'exhausted' | 'failed' | 'held' | 'waiting'

const STATES = {
  pending: { status: 'pending', attempts: 0, crashes: 0, ready: 1 },
  // As left by a worker that died on the last attempt, after more crashes than are free: due, and marked failed by a
  // claim.
  exhausted: { status: 'pending', attempts: 10, crashes: 3, ready: 0 },
  failed: { status: 'failed', attempts: 10, crashes: 0, ready: 0 },
  held: { status: 'held', attempts: 1, crashes: 0, ready: 0 },
  // Waits for a retry tomorrow.
  waiting: { status: 'pending', attempts: 1, crashes: 0, ready: 0 },
} as const

const DAY_MS = 86_400_000
const BENCH_LANE: LaneRef = { workspaceId: 'bench', endpointId: 'ep_1' }
let fills = 0

/**
 * Inserts rows by one statement, with ids in order, as if their events were a day old.
 *
 * @param where a lane, or a number of workspaces that have them in turn
 */
export async function fill(
  db: OutboxDatabase,
  kind: Kind,
  count: number,
  where: LaneRef | { workspaces: number } = BENCH_LANE,
): Promise<void> {
  if (count === 0) return
  const { status, attempts, crashes, ready } = STATES[kind]
  const { now } = await nextDueEvent(db)
  const at = now - DAY_MS + ++fills
  const prefix = `${firstEventIdAt(at).slice(0, 17)}-7000-8000-`
  const dueAt = kind === 'waiting' ? now + DAY_MS : at
  const due = status === 'pending' ? dueAt : null
  const claimed = kind === 'exhausted' ? at : null
  const completed = status === 'failed' ? now : null
  const { endpointId } = 'endpointId' in where ? where : BENCH_LANE
  const workspace =
    'workspaces' in where
      ? sqlText`'w' || (value % cast(${where.workspaces} as integer))`
      : sqlText`cast(${where.workspaceId} as text)`
  const numbers =
    db.dialect.name === 'sqlite'
      ? sqlText`with recursive n(value) as (select 1 union all select value + 1 from n where value < ${count})
          select value, printf('%012x', value) as hex from n`
      : sqlText`select value, lpad(to_hex(value), 12, '0') as hex from generate_series(1, cast(${count} as integer)) as n(value)`
  const { changes } = await db.run(sqlText`
    insert into pending_events (id, workspace_id, event_type, endpoint_id, status, attempts, crashes, due_at, ready,
      claimed_at, gen, created_at, completed_at, payload)
    select ${prefix} || hex || ${`.${endpointId}`}, ${workspace}, 'message.created', ${endpointId}, cast(${status} as text),
      cast(${attempts} as integer), cast(${crashes} as integer), cast(${due} as bigint), cast(${ready} as smallint),
      cast(${claimed} as bigint), cast(${at} as bigint), cast(${at} as bigint), cast(${completed} as bigint), cast(${payloadOf(0)} as text)
    from (${numbers}) as numbers`)
  if (changes !== count) throw new Error(`${changes} rows of ${count} were inserted`)
}
