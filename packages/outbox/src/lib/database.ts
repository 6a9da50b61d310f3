import type { OutboxEvent } from './event.ts'
import type { ClaimRef } from './row.ts'
import type { DialectName, SqlText, Statement } from './statement.ts'

/** A row as the driver gives it. */
export type Row = Record<string, unknown>

/** What one statement did. */
export interface SqlResult {
  /** Rows of a `select` or a `returning`; empty for any other statement. */
  rows: Row[]
  /** Rows inserted, updated or deleted; 0 for a `select`. */
  changes: number
}

/**
 * The database, as little of it as the verbs need. Three promises make an implementation fit:
 *
 * - `run` and `atomic` resolve only when what they wrote is as durable as the database makes it.
 * - `atomic` commits every statement or none, in their order, with no other writer between them. It takes no
 *   callback, because D1 has no interactive transactions.
 * - A write that was certainly not committed rejects with `OutboxError` `not_accepted`, one that may have been with
 *   `outcome_unknown`; a broken constraint rejects with the driver's own error, and nothing of its unit is kept.
 */
export interface OutboxDatabase {
  readonly dialect: Dialect
  /** Runs one statement, a unit of its own. */
  run(statement: Statement): Promise<SqlResult>
  /** Runs the statements as one atomic unit; a result for each, in order. An empty list does nothing. */
  atomic(statements: readonly Statement[]): Promise<SqlResult[]>
}

/** How one family of SQL says what the verbs need. */
export interface Dialect {
  readonly name: DialectName
  /** A list of strings for `in (…)`, as one parameter whatever its length. */
  list(values: readonly string[]): SqlText
  /** `limit n`, for a look that is to follow the order of an index however many rows the planner expects. */
  first(rows: number): SqlText
  /** `in`, for the few keys that such a look has found: whoever asks for them goes by the key. */
  among(found: SqlText): SqlText
  /**
   * Ends a `select`, and locks the rows of one of its tables for the rest of the unit: `pick` passes over those that
   * another holds, `wait` waits for them, `share` waits until nobody changes them. Empty where a unit has the database
   * to itself.
   */
  lock(how: 'pick' | 'wait' | 'share', table: string): SqlText
  /** One statement that inserts all of them; returns the ids that were new. */
  enqueue(events: readonly OutboxEvent[]): SqlText
  /** Takes due rows, or buries those whose attempts are used up; returns rows. */
  take(how: TakeOptions): SqlText
  /** Completes, by deleting; returns the ids that were held under that `gen`. */
  deleteSettled(claims: readonly ClaimRef[]): SqlText
  /** Every other way to settle or give back a row; returns the ids that were held under that `gen`. */
  settle(moves: readonly Move[], now: number | undefined): SqlText
  /**
   * A settle for good and the next {@link Dialect.take} as one statement, where one can change a table twice:
   * the rows that were taken, and `lostId` for each claim that was not held. Without it they are two of one unit.
   */
  settleAndTake?(settling: SqlText, claims: readonly ClaimRef[], how: TakeOptions): SqlText
  /** Moves leases forward, never back; returns the ids that were held. */
  extend(claims: readonly ClaimRef[], leaseMs: number, now: number | undefined): SqlText
  /** Reads the pending rows that still carry that `gen`, or a later one though no attempt was ever made. */
  begin(claims: readonly ClaimRef[]): SqlText
  /** Puts settled rows back to pending, or aside; returns ids. */
  replay(filter: ReplayWhere, now: number | undefined): SqlText
  /** Puts the held rows of an endpoint back to pending; returns ids. */
  unhold(endpointId: string, limit: number, now: number | undefined): SqlText
  /** Deletes settled rows older than the given age, oldest first. */
  prune(retentionMs: number, limit: number, now: number | undefined): SqlText
}

/** Which rows {@link Dialect.take} picks, and what taking them means. */
export interface TakeOptions {
  /**
   * `due`: rows whose time has come. `first-sends`: rows handed to a queue (`due_at` null) whose key lies in
   * `[fromId, toId)`. `handed-off`: the same in `(afterId, toId]`, by their `created_at`. `named`: these claims.
   */
  rows:
    | { kind: 'due' }
    | { kind: 'first-sends'; fromId: string; toId: string }
    | { kind: 'handed-off'; afterId: string; toId: string; createdBefore: number }
    | { kind: 'named'; claims: readonly ClaimRef[] }
  /** A claim charges an attempt and leaves its mark; a sweep does neither, and doubles the lease with each `gen`. */
  as: 'claim' | 'sweep'
  limit: number
  leaseMs: number
  now: number | undefined
}

/** One row's way out of a claim, as the settle statement takes it. */
export interface Move extends ClaimRef {
  status: 'pending' | 'completed' | 'failed' | 'held'
  /** Whether the attempt counts. */
  charged: boolean
  /** Whether this was a wait the receiver asked for. */
  deferral: boolean
  /** For `pending`: when it is due, from now or as a time. */
  delayMs: number | null
  dueAt: number | null
  error: string | null
  httpStatus: number | null
  holdReason: string | null
}

/** The parts of a replay's filter that are set. */
export interface ReplayWhere {
  ids: readonly string[] | undefined
  workspaceId: string | undefined
  endpointId: string | undefined
  status: 'failed' | 'completed' | undefined
  settledAfter: number | undefined
  settledBefore: number | undefined
  /** Held for this reason, to be let out bit by bit; otherwise pending and due now. */
  holdFor: string | undefined
  limit: number
}
