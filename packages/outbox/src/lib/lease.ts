import type { OptionNames } from './options.ts'
import type { OutboxDatabase } from './database.ts'
import { type Row, raw, sqlText } from './statement.ts'
import { checkBounds, checkNames } from './errors.ts'
import { type ClaimRef, type PendingEvent, pendingEvents, readPendingEvents } from './row.ts'
import { hasLine } from './lane.ts'

/**
 * The heartbeat of a worker whose attempts still run: each lease ends `leaseMs` from now, or later if it did already.
 * Returns the ids that are no longer held; their attempts are another's.
 */
export async function extendLease(
  db: OutboxDatabase,
  claims: readonly ClaimRef[],
  leaseMs: number,
  options: { now?: number | undefined } = {},
): Promise<string[]> {
  checkNames('extendLease', EXTEND_LEASE_OPTIONS, options)
  checkBounds('leaseMs', leaseMs, 1000, 86_400_000)
  if (claims.length === 0) return []
  const { rows } = await db.run(db.dialect.extend(claims, leaseMs, options.now))
  return missing(claims, rows)
}

export const EXTEND_LEASE_OPTIONS = { now: 'number' } satisfies OptionNames<Parameters<typeof extendLease>[3]>

/**
 * A queue consumer's question before it sends: does the row still stand as the message says? Answers the row, or
 * `'stale'` when it was settled, claimed, swept or rescheduled since. Writes nothing.
 */
export async function beginEvent(db: OutboxDatabase, ref: ClaimRef): Promise<PendingEvent | 'stale'> {
  const { current } = await beginEvents(db, [ref])
  return current[0] ?? 'stale'
}

/** What a batch of messages comes to. */
export interface BeginResult {
  /** Rows that stand as their message says. */
  current: PendingEvent[]
  /**
   * Rows that were swept or given back since, and never attempted: the message waited long. Whoever works one of these
   * claims it first (`claimEvents`, under the row's own `gen`), because another message for it may be on its way.
   */
  swept: PendingEvent[]
  /** Ids of rows that are settled, claimed, put off or stand in line. */
  stale: string[]
  /** Workspaces of these rows of which others stand in line. */
  workspacesInLine: string[]
}

/** {@link beginEvent} for a batch of messages, in one read. Of two messages for one row the later `gen` counts. */
export async function beginEvents(db: OutboxDatabase, refs: readonly ClaimRef[]): Promise<BeginResult> {
  if (refs.length === 0) return { current: [], swept: [], stale: [], workspacesInLine: [] }
  const gens = new Map<string, number>()
  for (const { id, gen } of refs) gens.set(id, Math.max(gen, gens.get(id) ?? gen))
  const wanted = [...gens].map(([id, gen]) => ({ id, gen }))
  // A later `gen` of the same life, though no attempt was made: the message was overtaken. One from an earlier life of
  // the row, below the `created_at` at which `gen` began, is stale; one whose row was put in line waits for its turn.
  const { rows } = await db.run<Row & { hasLine: number }>(sqlText`
    select ${pendingEvents.all}, ${hasLine(db.dialect, raw('pending_events.workspace_id'))} as "hasLine"
    from (${db.dialect.claims(wanted)}) as claim cross join pending_events
    where id = claim_id and status = 'pending' and (gen = claim_gen or (
      gen > claim_gen and claim_gen >= created_at and ready = 0 and attempts = 0 and deferrals = 0 and crashes = 0))`)
  const workspacesInLine = new Set<string>()
  const found = rows.flatMap(({ hasLine: isLined, ...columns }) => {
    const read = readPendingEvents([columns])
    if (isLined) for (const { workspaceId } of read) workspacesInLine.add(workspaceId)
    return read
  })
  return {
    current: found.filter(({ id, gen }) => gens.get(id) === gen),
    swept: found.filter(({ id, gen }) => gens.get(id) !== gen),
    stale: missing(wanted, rows),
    workspacesInLine: [...workspacesInLine],
  }
}

function missing(claims: readonly ClaimRef[], rows: readonly Row[]): string[] {
  const found = new Set(rows.map((row) => row['id']))
  return claims.flatMap(({ id }) => (found.has(id) ? [] : [id]))
}
