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
   * How long the claim holds without renewal, in ms: 1,000–86,400,000. Longer than one attempt can last, or a second
   * worker sends the same delivery. @default 60_000
   */
  leaseMs?: number | undefined
  /** The time to go by, ms since the epoch. @default the database's clock, which skewed workers share */
  now?: number | undefined
}

export const LEASE_OPTIONS = { leaseMs: 'number', now: 'number' } satisfies OptionNames<LeaseOptions>

/** What a claim takes. With neither lanes nor due rows it takes nothing. */
export interface ClaimOptions extends LeaseOptions {
  /** Rows that stand in line: of each lane so many, oldest event first. At most 1,000 lanes. @default [] */
  lanes?: readonly LaneShare[] | undefined
  /** Besides, at most so many rows whose retry's time has come or whose lease has ended: 0–1,000. @default 0 */
  due?: number | undefined
  /**
   * `'sweep'`: for a queue whose messages bring the rows. No attempt counts, no mark is left, and the lease is a sweep's,
   * which doubles with each `gen`. @default 'claim'
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

/** A row under a lease. `claimedAt` is the database's time of the claim, `gen` what a settle must show. */
export type Claim = TakenEvent & { claimedAt: number }

export interface ClaimResult {
  /** In the order of their events (by key), each held by this caller alone. */
  claims: Claim[]
  /** Rows found with their attempts used up: already `failed` when this resolves. */
  exhausted: EventState[]
  /** Rows that a claim `as: 'sweep'` took, for their messages; absent when it took none. */
  swept?: EventState[] | undefined
}

/** 15 s for an attempt, busy time-out and margin; recovery of a dead worker's rows within a minute. */
export const DEFAULT_LEASE_MS = 60_000

/**
 * Takes rows under a lease: the attempt is charged and `gen` bumped in the same statement, so a worker that dies has used
 * it. A row whose worker died on its last attempt is buried here, never left pending and unclaimable.
 */
export async function claimReadyEvents(db: OutboxDatabase, options: ClaimOptions): Promise<ClaimResult> {
  const transaction = new Transaction()
  const claimed = addClaim(transaction, db, options)
  if (!transaction.isEmpty) await transaction.commit(db)
  return claimed()
}

/**
 * Adds the claim to a transaction of the caller's.
 *
 * @returns after the commit: what it took
 */
export function addClaim(
  transaction: Transaction,
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  options: ClaimOptions,
): () => ClaimResult {
  const taken = takesOf(options).map((how) => transaction.add(takeStatement(dialect, how)))
  return () => readClaimed(taken.flatMap(({ rows }) => rows))
}

/** The takes of a claim: from the lanes, and of what is due. */
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
 * Claims whatever may go now, fairly: looks at the lanes, and takes from them in turn and from what has become due, until
 * it has as many as were asked for or there are no more. For a worker that keeps no lanes of its own in mind.
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
 * Claims the rows that these messages name, if they still stand as the messages say: for a queue consumer that was given
 * a message a second time and cannot know whether the first time ended in a crash. Due or not; otherwise as
 * {@link claimDueEvents}. What is in neither list of the answer is another's.
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
 * Sorts what the statements returned: RETURNING has no order of its own, and it replaced `due_at` by the lease. Keys are
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

/** When the next row that waits for a time is due: for a timer instead of a poll. */
export interface NextDue {
  /** The database's time of the answer. */
  now: number
  /** Null when no row waits for a time. Rows in line do not: see {@link lookAtLanes}. */
  dueAt: number | null
}

/** One index look-up, whatever the backlog. */
export async function nextDueEvent(db: OutboxDatabase): Promise<NextDue> {
  const { rows } = await db.run<NextDue>(sqlText`
    select ms as "now", (
      select due_at from pending_events ${db.dialect.by('pending_events_due')}
      where status = 'pending' and due_at is not null and ready = 0 order by due_at, id limit 1) as "dueAt"
    from keepsend_clock`)
  return onlyRow(rows)
}
