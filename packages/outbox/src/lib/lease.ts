import type { OptionNames } from './options.ts'
import type { OutboxDatabase } from './database.ts'
import { type Row, raw, sqlText } from './statement.ts'
import { checkBounds, checkNames } from './errors.ts'
import { type ClaimRef, type PendingEvent, lostClaims, pendingEvents, readPendingEvents } from './row.ts'
import { hasLine } from './lane.ts'

/**
 * The heartbeat of a worker with attempts in flight: each lease ends `leaseMs` from now, or later if it already did.
 * Returns those of the given claims that were lost; their rows belong to another worker.
 */
export async function extendLease(
  db: OutboxDatabase,
  claims: readonly ClaimRef[],
  leaseMs: number,
  options: { now?: number | undefined } = {},
): Promise<ClaimRef[]> {
  checkNames('extendLease', EXTEND_LEASE_OPTIONS, options)
  checkBounds('leaseMs', leaseMs, 1000, 86_400_000)
  if (claims.length === 0) return []
  const { rows } = await db.run<ClaimRef>(db.dialect.extend(claims, leaseMs, options.now))
  return lostClaims(claims, rows)
}

export const EXTEND_LEASE_OPTIONS = { now: 'number' } satisfies OptionNames<Parameters<typeof extendLease>[3]>

/**
 * Lets a queue consumer check, before it sends, that a row has not moved on since its message was sent. Returns the
 * row, or `'stale'` when it was settled, claimed, swept or rescheduled since. Writes nothing.
 */
export async function beginEvent(db: OutboxDatabase, ref: ClaimRef): Promise<PendingEvent | 'stale'> {
  const { current } = await beginEvents(db, [ref])
  return current[0] ?? 'stale'
}

/** The rows of a batch of messages, by what may be done with them. */
export interface BeginResult {
  /** Rows that have not moved on since their message was sent. */
  current: PendingEvent[]
  /**
   * Rows that were swept or released since, and never attempted: the message waited for long. Claim such a row before
   * sending it (`claimEvents`, under the row's own `gen`), because another message for it may be on its way.
   */
  swept: PendingEvent[]
  /** Ids of rows that are settled, claimed, rescheduled or in line. */
  stale: string[]
  /** Workspaces of these rows that have other rows in line. */
  workspacesInLine: string[]
}

/**
 * {@link beginEvent} for a batch of messages, in one read. If two messages name the same row, the later `gen` counts.
 */
export async function beginEvents(db: OutboxDatabase, refs: readonly ClaimRef[]): Promise<BeginResult> {
  if (refs.length === 0) return { current: [], swept: [], stale: [], workspacesInLine: [] }
  const gens = new Map<string, number>()
  for (const { id, gen } of refs) gens.set(id, Math.max(gen, gens.get(id) ?? gen))
  const wanted = [...gens].map(([id, gen]) => ({ id, gen }))
  // A later `gen` of the same life without an attempt: the message was overtaken by a sweep. A `gen` from an earlier
  // life of the row, below the `created_at` at which `gen` began, is stale. A row that was put in line waits for a
  // claim.
  const { rows } = await db.run<Row & { hasLine: number }>(sqlText`
    select ${pendingEvents.all}, ${hasLine(db.dialect, raw('pending_events.workspace_id'))} as "hasLine"
    from (${db.dialect.claims(wanted)}) as claim cross join pending_events
    where id = claim_id and status = 'pending' and (gen = claim_gen or (
      gen > claim_gen and claim_gen >= created_at and ready = 0 and attempts = 0 and deferrals = 0 and crashes = 0))`)
  const known = new Set(rows.map((row) => row['id']))
  const workspacesInLine = new Set<string>()
  const found = rows.flatMap(({ hasLine: isLined, ...columns }) => {
    const read = readPendingEvents([columns])
    if (isLined) for (const { workspaceId } of read) workspacesInLine.add(workspaceId)
    return read
  })
  return {
    current: found.filter(({ id, gen }) => gens.get(id) === gen),
    swept: found.filter(({ id, gen }) => gens.get(id) !== gen),
    stale: [...gens.keys()].filter((id) => !known.has(id)),
    workspacesInLine: [...workspacesInLine],
  }
}
