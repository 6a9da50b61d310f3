import type { OptionNames } from './options.ts'
import { type OutboxDatabase, onlyRow } from './database.ts'
import { type Row, sqlText } from './statement.ts'
import { checkBounds, checkNames } from './errors.ts'
import { takeInTurn } from './lane.ts'
import type { LaneShare } from './lane-ref.ts'
import { byId } from './row-id.ts'
import { type ClaimRef, type EventState, type TakenEvent, readPendingEvents } from './row.ts'
import { takeStatement } from './take.ts'
import type { TakeOptions } from './take-options.ts'
import { Transaction } from './transaction.ts'

export interface LeaseOptions {
  /**
   * How long the claim lasts without a renewal, in ms: 1,000–86,400,000. It must exceed the longest attempt, or a
   * second worker sends the same delivery. @default 60_000
   */
  leaseMs?: number | undefined
  /** The current time, ms since the epoch. @default the database's clock, which is the same for all workers */
  now?: number | undefined
}

export const LEASE_OPTIONS = { leaseMs: 'number', now: 'number' } satisfies OptionNames<LeaseOptions>

/** Which rows a claim takes. With neither lanes nor due rows it takes nothing. */
export interface ClaimOptions extends LeaseOptions {
  /** Takes up to `count` rows in line of each lane, oldest event first. At most 1,000 lanes. @default [] */
  lanes?: readonly LaneShare[] | undefined
  /** Also takes up to this many rows that are due for a retry or whose lease expired: 0–1,000. @default 0 */
  due?: number | undefined
  /**
   * `'sweep'` is for a queue whose messages bring the rows: no attempt counts, the claim leaves no mark, and the lease
   * is that of a sweep, which doubles with each `gen`. @default 'claim'
   */
  as?: 'claim' | 'sweep' | undefined
}

export const CLAIM_OPTIONS = {
  lanes: 'list',
  due: 'number',
  as: 'text',
  leaseMs: 'number',
  now: 'number',
} satisfies OptionNames<ClaimOptions>

/** A row under a lease. `claimedAt` is the database's time of the claim; a settle needs its `gen`. */
export type Claim = TakenEvent & { claimedAt: number }

export interface ClaimResult {
  /** In the order of their events (by key). No other caller has a claim of these rows. */
  claims: Claim[]
  /** Rows whose attempts were exhausted: already `failed` when this resolves. */
  exhausted: EventState[]
  /** Rows that a claim `as: 'sweep'` took, to be dispatched; absent when it took none. */
  swept?: EventState[] | undefined
}

/** 15 s for an attempt, busy time-out and margin; a dead worker's rows are recovered within a minute. */
export const DEFAULT_LEASE_MS = 60_000

/**
 * Claims rows under a lease. The same statement counts the attempt and increments `gen`, so the attempt of a worker
 * that dies counts. A row whose worker died on its last attempt is marked failed here instead of staying pending and
 * unclaimable.
 */
export async function claimReadyEvents(db: OutboxDatabase, options: ClaimOptions): Promise<ClaimResult> {
  const transaction = new Transaction()
  const claimed = addClaim(transaction, db, options)
  if (!transaction.isEmpty) await transaction.commit(db)
  return claimed()
}

/**
 * Adds the claim to the caller's transaction.
 *
 * @returns a function to call after the commit, which returns the claimed rows
 */
export function addClaim(
  transaction: Transaction,
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  options: ClaimOptions,
): () => ClaimResult {
  const taken = takesOf(options).map((how) => transaction.add(takeStatement(dialect, how)))
  return () => readClaimed(taken.flatMap(({ rows }) => rows))
}

/** The takes that a claim consists of: one from the lanes, one of due rows. */
export function takesOf(options: ClaimOptions): TakeOptions[] {
  checkNames('claimReadyEvents', CLAIM_OPTIONS, options)
  const { lanes = [], due = 0, as = 'claim' } = options
  checkBounds('lanes.length', lanes.length, 0, 1000)
  checkBounds('due', due, 0, 1000)
  const lease = { ...leaseOf(options), as }
  const takes: TakeOptions[] = []
  if (lanes.length > 0) {
    for (const { count } of lanes) checkBounds('count', count, 1, 1000)
    takes.push({ rows: { kind: 'lanes', lanes }, ...lease, limit: 0 })
  }
  if (due > 0) takes.push({ rows: { kind: 'due' }, ...lease, limit: due })
  return takes
}

function leaseOf({ leaseMs = DEFAULT_LEASE_MS, now }: LeaseOptions): Pick<TakeOptions, 'as' | 'leaseMs' | 'now'> {
  checkBounds('leaseMs', leaseMs, 1000, 86_400_000)
  return { as: 'claim', leaseMs, now }
}

export interface ClaimDueOptions extends LeaseOptions {
  /** Rows at most: 1–1,000. */
  limit: number
}

export const CLAIM_DUE_OPTIONS = {
  limit: 'number',
  leaseMs: 'number',
  now: 'number',
} satisfies OptionNames<ClaimDueOptions>

/**
 * Claims rows that may go now, fairly: takes rows from the lanes in turn and rows that have become due, until it has
 * `limit` rows or finds no more. For a worker that does not remember lanes between claims.
 */
export async function claimDueEvents(db: OutboxDatabase, options: ClaimDueOptions): Promise<ClaimResult> {
  checkNames('claimDueEvents', CLAIM_DUE_OPTIONS, options)
  const { limit, ...lease } = options
  checkBounds('limit', limit, 1, 1000)
  const all: ClaimResult = { claims: [], exhausted: [] }
  const how = leaseOf(lease)
  await takeInTurn(db, { limit }, async (rows, most) => {
    const taken = await db.run(takeStatement(db.dialect, { rows, ...how, limit: most }))
    const { claims, exhausted } = readClaimed(taken.rows)
    all.claims.push(...claims)
    all.exhausted.push(...exhausted)
    return claims.length + exhausted.length
  })
  return { claims: all.claims.sort(byId), exhausted: all.exhausted }
}

/**
 * Claims the rows that these messages name, if no row has moved on since its message was sent. For a queue consumer
 * that receives a message a second time and cannot know whether the first delivery ended in a crash. Rows need not be
 * due; otherwise as {@link claimDueEvents}. Rows in neither list of the result belong to another worker.
 */
export async function claimEvents(
  db: OutboxDatabase,
  refs: readonly ClaimRef[],
  options: LeaseOptions = {},
): Promise<ClaimResult> {
  checkNames('claimEvents', LEASE_OPTIONS, options)
  if (refs.length === 0) return readClaimed([])
  checkBounds('refs.length', refs.length, 1, 1000)
  const how: TakeOptions = { rows: { kind: 'named', claims: refs }, ...leaseOf(options), limit: refs.length }
  return readClaimed((await db.run(takeStatement(db.dialect, how))).rows)
}

/**
 * Sorts the returned rows by key: RETURNING guarantees no order, and `due_at` now holds the lease. Keys are
 * time-ordered, so a batch starts in the order of its events.
 */
export function readClaimed(rows: readonly Row[]): ClaimResult {
  const taken: TakenEvent[] = readPendingEvents(rows).sort(byId)
  const swept = taken.filter(({ status, claimedAt }) => status === 'pending' && claimedAt === null)
  return {
    claims: taken.filter((row): row is Claim => row.status === 'pending' && row.claimedAt !== null),
    exhausted: taken.filter(({ status }) => status === 'failed'),
    ...(swept.length > 0 && { swept }),
  }
}

/** When the next waiting row is due: lets a worker set a timer instead of polling. */
export interface NextDue {
  /** The database's time when it answered. */
  now: number
  /** Null when no row waits for a time. Rows in line are not included: see {@link lookAtLanes}. */
  dueAt: number | null
}

/** Finds the next waiting row by one index look-up, whatever the backlog. */
export async function nextDueEvent(db: OutboxDatabase): Promise<NextDue> {
  const { rows } = await db.run<NextDue>(sqlText`
    select ms as "now", (
      select due_at from pending_events ${db.dialect.by('pending_events_due')}
      where status = 'pending' and due_at is not null and ready = 0 order by due_at, id limit 1) as "dueAt"
    from keepsend_clock`)
  return onlyRow(rows)
}
