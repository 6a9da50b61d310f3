import { type OutboxDatabase, type Row, onlyRow } from './database.ts'
import { checkBounds } from './errors.ts'
import { checkOptions } from './option-names.ts'
import { byId } from './row-id.ts'
import { type ClaimRef, type PendingEvent, readPendingEvents } from './row.ts'
import { type TakeOptions, takeStatement } from './take.ts'
import type { Transaction } from './transaction.ts'

export interface ClaimOptions {
  /** Rows at most: 1–1,000. */
  limit: number
  /**
   * How long the claim holds without renewal, in ms: 1,000–86,400,000. Longer than one attempt can last, or a second
   * worker sends the same delivery. @default 60_000
   */
  leaseMs?: number | undefined
  /** The time to go by, ms since the epoch. @default the database's clock, which skewed workers share */
  now?: number | undefined
}

/** A row under a lease. `claimedAt` is the database's time of the claim, `gen` what a settle must show. */
export type Claim = PendingEvent & { claimedAt: number }

export interface Claimed {
  /** The longest due, in the order of their events (by key), each held by this caller alone. */
  claims: Claim[]
  /** Rows found with their attempts used up: already `failed` when this resolves. */
  dead: PendingEvent[]
}

/** 15 s for an attempt, busy time-out and margin; recovery of a dead worker's rows within a minute. */
export const DEFAULT_LEASE_MS = 60_000

/**
 * Takes due rows under a lease: the attempt is charged and `gen` bumped in the same statement, so a worker that dies
 * has used it. A row whose worker died on its last attempt is buried here, never left pending and unclaimable.
 */
export async function claimDueEvents(db: OutboxDatabase, options: ClaimOptions): Promise<Claimed> {
  const { rows } = await db.run(takeStatement(db.dialect, dueRows(options)))
  return readClaimed(rows)
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
): () => Claimed {
  const taken = transaction.add(takeStatement(dialect, dueRows(options)))
  return () => readClaimed(taken.rows)
}

/** What a claim takes. */
export function dueRows(options: ClaimOptions): TakeOptions {
  checkOptions('claimDueEvents', options)
  const { limit, leaseMs = DEFAULT_LEASE_MS, now } = options
  checkBounds('limit', limit, 1, 1000)
  checkBounds('leaseMs', leaseMs, 1000, 86_400_000)
  return { rows: { kind: 'due' }, as: 'claim', limit, leaseMs, now }
}

/**
 * Claims the rows that these messages name, if they still stand as the messages say: for a queue consumer that was given
 * a message a second time and cannot know whether the first time ended in a crash. Due or not; otherwise as
 * {@link claimDueEvents}. What is in neither list of the answer is another's.
 */
export async function claimEvents(
  db: OutboxDatabase,
  refs: readonly ClaimRef[],
  options: Omit<ClaimOptions, 'limit'> = {},
): Promise<Claimed> {
  checkOptions('claimEvents', options)
  if (refs.length === 0) return readClaimed([])
  const { leaseMs = DEFAULT_LEASE_MS, now } = options
  checkBounds('refs.length', refs.length, 1, 1000)
  checkBounds('leaseMs', leaseMs, 1000, 86_400_000)
  const rows = { kind: 'named', claims: refs } as const
  const how = { rows, as: 'claim', limit: refs.length, leaseMs, now } as const
  return readClaimed((await db.run(takeStatement(db.dialect, how))).rows)
}

/**
 * Sorts what the statement returned: RETURNING has no order of its own, and it replaced `due_at` by the lease. Keys are
 * time-ordered, so a batch starts in the order of its events; which rows are in it was decided by `due_at`.
 */
export function readClaimed(rows: readonly Row[]): Claimed {
  const taken = readPendingEvents(rows).sort(byId)
  return {
    claims: taken.filter((row): row is Claim => row.status === 'pending' && row.claimedAt !== null),
    dead: taken.filter(({ status }) => status === 'failed'),
  }
}

/** When the next pending row is due: for a timer instead of a poll. */
export interface NextDue {
  /** The database's time of the answer. */
  now: number
  /** Null when no row waits for a time. */
  dueAt: number | null
}

/** One index look-up, whatever the backlog. */
export async function nextDueEvent(db: OutboxDatabase): Promise<NextDue> {
  const { rows } = await db.run<NextDue>({
    sql: `select ms as "now", (
        select due_at from pending_events where status = 'pending' and due_at is not null order by due_at, id limit 1
      ) as "dueAt" from keepsend_clock`,
    params: [],
  })
  return onlyRow(rows)
}
