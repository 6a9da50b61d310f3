import type { LaneShare, LookOptions } from './lane-ref.ts'
import type { Resolved } from './options.ts'
import type { ClaimRef } from './row.ts'
import type { DialectName, SqlText } from './statement.ts'
import type { TakeOptions } from './take-options.ts'

/**
 * How one family of SQL spells what the shared statements need. What a statement means, its conditions and its SET
 * lists, is written once, outside; a dialect says how to pass rows in, how to pick rows, and how to lock them.
 */
export interface Dialect {
  readonly name: DialectName
  /** The smallest and the largest of several values. */
  readonly least: SqlText
  readonly greatest: SqlText
  /** Ends an insert of several rows, where two that insert the same keys could wait for each other in a circle. */
  readonly inKeyOrder: SqlText
  /**
   * Behind a table in a `from`: the index by which its rows are found. SQLite would choose one by what it knows of the table,
   * which may be of a time when it had ten rows. Postgres cannot be told: there each condition fits one index alone.
   */
  by(index: string): SqlText
  /** Behind a column: one of these few texts. The planner knows them. */
  oneOf(values: readonly string[]): SqlText
  /** Behind a key: one of these, as one parameter whatever their number. Looks them up, whatever the planner expects. */
  keys(ids: readonly string[]): SqlText
  /** `limit n`, for a look that follows the order of an index however many rows the planner expects. */
  first(rows: number): SqlText
  /** `in`, for the few keys that such a look has found, so that the planner goes by the key. */
  among(found: SqlText): SqlText
  /**
   * Ends a `select`, and locks the rows of one of its tables for the rest of the transaction: `pick` skips those that
   * another holds, `wait` waits for them, `share` waits until nobody changes them. Empty where a transaction has the
   * database to itself.
   */
  lock(how: 'pick' | 'wait' | 'share', table: string): SqlText
  /**
   * The clock for a `select` that reads it more than once: its text, and what it needs before the other tables of the
   * `from`. Postgres plans a table more in 7% less than three subqueries; SQLite takes four times as long over the table.
   */
  readonly clockBeside: { now: SqlText; from: SqlText }
  /**
   * Behind `with … as`, of a table whose expressions are read more than once. Postgres plans them once; SQLite takes longer
   * over such a table than over the expressions, but has each parameter of it once.
   */
  readonly reused: SqlText
  /**
   * Whether a payload of more than 1,000 bytes is stored in its rows, where they are few. D1 bills a row more for another
   * place; Postgres copies no payload that it keeps out of line when a row moves.
   */
  readonly inlinesLong: boolean
  /** Stores payloads, for the rows of an insert. */
  storePayloads(payloads: readonly Payload[]): Stored
  /**
   * Stores the payload of an event, for an insert of a row for each row of a table `receiver`, if there are more than so many.
   *
   * @param from what follows the `from` of the select of that table
   */
  storeShared(payload: Payload, from: SqlText, moreThan: number): Stored
  /** The elements of a list that a column holds as JSON, as a table with the column `value`, joined to its row. */
  elements(alias: string, list: SqlText): SqlText
  /** Many items as a table for a `from`, one column for each entry of `columns`. */
  rows<Item>(alias: string, items: readonly Item[], columns: RowSource<Item>): SqlText
  /**
   * The same for an update of rows by `id = claim_id`, one of the columns: text before it, its `from`, and the beginning of
   * its `where`.
   */
  moves<Item>(items: readonly Item[], columns: RowSource<Item>): { with: SqlText; from: SqlText; where: SqlText }
  /** A `select` of `(claim_id, claim_gen)`. */
  claims(refs: readonly ClaimRef[]): SqlText
  /** Joins the rows of each event that a column before it names, by their keys, whatever the planner expects. */
  joinRowsOf(eventId: SqlText): SqlText
  /** Picks rows of `pending_events` for the statement that changes them, so that two that pick get disjoint rows. */
  pick(which: Which): Picked
  /** Picks the first rows of each lane, so many as its `count` says; of rows that others hold it picks the next. */
  pickLanes(lanes: readonly LaneShare[]): Picked
  /** The rows of one lane, for {@link pick} or a `select`: in the order of their events. */
  inLane(workspaceId: SqlText, endpointId: SqlText): { where: SqlText; order: SqlText }
  /** The held rows of one endpoint, for {@link pick} or a `select`. */
  heldOf(endpointId: SqlText, between?: KeyRange): RowsInOrder
  /** The rows in line of one workspace, in the order of the index. */
  inLine(workspaceId: SqlText): { where: SqlText; order: SqlText }
  /** The rows of one workspace between two keys, in a table with an index of `workspace_id` and `id`. */
  ofWorkspace(workspaceId: string, between: { after?: string; before?: string }): RowsInOrder
  /**
   * Behind {@link lanes}: the table `line (part, id, most)` of the newest rows of these lanes; see {@link NewestInLine}. A part
   * that has `most` rows may have more.
   */
  newestInLine(options: NewestInLine): SqlText
  /** `with recursive …`, whose last table `lane (w, e)` are the lanes that have rows; see {@link LookOptions}. */
  lanes(options: Resolved<LookOptions>): SqlText
  /** Deletes the rows of these claims; returns the ids that stood under that `gen`. */
  deleteClaims(refs: readonly ClaimRef[]): SqlText
  /** Moves leases forward, never back; returns the ids whose claims stand. */
  extend(refs: readonly ClaimRef[], leaseMs: number, now: number | undefined): SqlText
  /**
   * A settle and the next take as one statement, where one statement can change a table twice: the rows that were
   * taken, and `lostId` for each claim that no longer stood. Without it they are two statements of one transaction.
   */
  settleAndTake?(settling: SqlText, refs: readonly ClaimRef[], how: TakeOptions): SqlText
}

/** Which rows that stand in line are looked at, newest first. */
export interface NewestInLine {
  workspaceId: string
  /** One lane alone. */
  endpointId: string | undefined
  /** Rows below this key. */
  before: string
  /** Rows in all, or so many of each lane if that is more. */
  rows: number
  ofEach: number
}

/** Keys from the first on, before the second. */
export interface KeyRange {
  from?: SqlText
  before?: SqlText
}

/** Which rows they are, and their two orders: one is said with every look, and both are those of one index. */
export interface RowsInOrder {
  where: SqlText
  oldestFirst: SqlText
  newestFirst: SqlText
}

/** A payload that is stored once. */
export interface Payload {
  eventId: string
  payload: string
}

/** How payloads are stored, and how the insert of their rows finds them. Both are in one transaction. */
export interface Stored {
  /** Statements that stand before the insert, nothing between; none where the insert stores the payloads itself. */
  before: SqlText[]
  /** Common table expressions of the insert. */
  ctes: SqlText[]
  /** Ends the `from` of the insert. */
  join: SqlText
  /** The `payload_id` of a row, by the place of its payload (from 1 on) in a column `place` of `event`; null: none was stored. */
  id: SqlText
}

/** The columns of {@link Dialect.rows}, by name: the type, and the value of an item. */
export type RowSource<Item> = Readonly<Record<string, ColumnSource<Item>>>

type ColumnSource<Item> =
  | readonly [type: 'text', valueOf: (item: Item) => string | null]
  | readonly [type: 'integer', valueOf: (item: Item) => number | null]

/** Which rows of `pending_events` a statement changes. */
export interface Which {
  where: SqlText
  /** The index by which they are picked. @default the key */
  by?: string
  /** Together with `limit`. A named set needs neither. */
  order?: SqlText
  limit?: number
}

/** What {@link Dialect.pick} adds to a statement: text before it, and its condition. */
export interface Picked {
  with: SqlText
  where: SqlText
}
