import type { LaneShare, LookOptions } from './lane-ref.ts'
import type { Resolved } from './options.ts'
import type { EventRecord } from './event-record.ts'
import type { ClaimRecord } from './record.ts'
import type { RowSource, TableOfItems } from './row-source.ts'
import type { ClaimRef } from './row.ts'
import type { DialectName, SqlText } from './statement.ts'
import type { TakeOptions } from './take-options.ts'
import type { CopyReceivers, CopyToStore, StoredCopies } from './versions.ts'

/**
 * How one family of SQL spells the parts that the shared statements need. The meaning of a statement, its conditions
 * and its SET lists are written once, outside; a dialect says how to pass rows in, how to pick rows and how to lock
 * them.
 */
export interface Dialect {
  readonly name: DialectName
  /** The smallest and the largest of several values. */
  readonly least: SqlText
  readonly greatest: SqlText
  /** Ends an insert of several rows: two inserts of the same keys in different orders could deadlock. */
  readonly inKeyOrder: SqlText
  /**
   * Runs first in the transaction of a read whose order is that of an index. Postgres knows nothing of the rows of a new
   * partition, and would rather read and sort all of them. Undefined where the statement names its index.
   */
  readonly followsIndexes: SqlText | undefined
  /**
   * Follows a table in a `from`: the index that finds its rows. SQLite would choose one by its statistics, which may
   * date from a time when the table had ten rows. Postgres has no such hint: there each condition matches one index
   * alone.
   */
  by(index: string): SqlText
  /** Follows a column: equals one of these few texts, which the planner sees. */
  oneOf(values: readonly string[]): SqlText
  /**
   * Follows a key: equals one of these, passed as one parameter whatever their number. Always looks keys up by the
   * index.
   */
  keys(ids: readonly string[]): SqlText
  /** `limit n` for a query that must follow the order of an index however many rows the planner expects. */
  first(rows: number): SqlText
  /** `in` for the few keys that a subquery finds, phrased so that the planner uses the primary key. */
  among(found: SqlText): SqlText
  /**
   * Ends a `select`, and locks the rows of one of its tables for the rest of the transaction: `pick` skips rows that
   * another transaction has locked, `wait` waits for them, `change` too unless the other has only inserted rows that
   * refer to them, `share` waits until nobody changes them. Empty where a transaction has the database to itself.
   */
  lock(how: 'pick' | 'wait' | 'change' | 'share', table: string): SqlText
  /**
   * The clock for a `select` that reads it more than once: its expression, and the table it needs before the other
   * tables of the `from`. Postgres plans one more table in 7% less time than three subqueries; SQLite takes four times
   * as long over the table.
   */
  readonly clockBeside: { now: SqlText; from: SqlText }
  /**
   * The clock for a `select` from a table whose rows the statement has locked: the time when it is read. On Postgres
   * {@link clock} is the time at which the statement began, which may have been long before the lock.
   */
  readonly clockAfterLock: SqlText
  /**
   * Follows `with … as`, for a table whose expressions are read more than once. Postgres plans them once; SQLite takes
   * longer over such a table than over the expressions, but binds each of its parameters once.
   */
  readonly reused: SqlText
  /**
   * Whether a payload of more than 1,000 bytes is stored in its rows, if they are few. D1 bills one more row for a
   * payload that is stored elsewhere; Postgres does not copy a TOASTed payload when its row moves.
   */
  readonly inlinesLong: boolean
  /** Whether the database bills each row that is written: D1 does. */
  readonly isBilled: boolean
  /** Stores payloads, for the rows of an insert. */
  storePayloads(payloads: readonly Payload[]): Stored
  /**
   * Stores the payload of an event, for an insert of one row for each row of a table `receiver`, if there are more than
   * `moreThan` of them.
   *
   * @param from the text that follows `from` in the select of that table
   */
  storeShared(payload: Payload, from: SqlText, moreThan: number): Stored
  /**
   * Stores the payload of an event whose record refers to it, unless an earlier publish has stored it. The table
   * `earlier` of the insert has the `payload_id` and the `content_type` of that publish.
   */
  storeRecorded(payload: Payload, record: EventRecord): Stored
  /**
   * Stores copies of an event's payload in other versions, each if a receiver has one of its labels and no earlier publish has
   * recorded the event. The table `labelled (label, place, copy_id)` of the insert has the labels.
   *
   * @param own the labels of the payload itself
   */
  storeCopies(own: readonly string[], copies: readonly CopyToStore[], receivers: CopyReceivers): StoredCopies
  /** A JSON object of these values by these keys, which `from` finds. */
  object(key: SqlText, value: SqlText, from: SqlText): SqlText
  /** A number of a JSON object; null: it has no such key, or there is no object. */
  entryOf(object: SqlText, key: SqlText): SqlText
  /** The whole numbers among the values of a JSON object, as a select; of null none. */
  valuesOf(object: SqlText): SqlText
  /**
   * An insert of the rows of an event, together with its record. On SQLite the record is a statement after it.
   *
   * @param rows.ctes the common table expressions of the insert
   * @param rows.returned the columns that it returns
   * @param rows.copies the ids of the payloads of the event by their labels, as JSON; undefined: it has no versions
   */
  insertRecorded(
    rows: { ctes: SqlText; insert: SqlText; returned: SqlText; copies: SqlText | undefined },
    event: { eventId: string; workspaceId: string },
    record: EventRecord,
  ): { insert: SqlText; after: SqlText[] }
  /** The elements of a list that a column holds as JSON, as a table with the column `value`, joined to its row. */
  elements(alias: string, list: SqlText): SqlText
  /** Many items as a table for a `from`, one column for each entry of `columns`. */
  rows<Item>(alias: string, items: readonly Item[], columns: RowSource<Item>): SqlText
  /**
   * The same for an update of rows by `id = claim_id`, one of the columns: the text before it, its `from`, and the
   * start of its `where`.
   */
  moves<Item>(items: readonly Item[], columns: RowSource<Item>): { with: SqlText; from: SqlText; where: SqlText }
  /** A `select` of `(claim_id, claim_gen)`. */
  claims(refs: readonly ClaimRef[]): SqlText
  /** Joins the rows of each event that a preceding column names, by their keys, whatever the planner expects. */
  joinRowsOf(eventId: SqlText): SqlText
  /** Picks rows of `pending_events` for the statement that changes them. Concurrent picks get disjoint rows. */
  pick(which: Which): Picked
  /** Picks the first `count` rows of each lane, skipping rows that another transaction has locked. */
  pickLanes(lanes: readonly LaneShare[]): Picked
  /** The rows of one lane, for {@link pick} or a `select`, in the order of their events. */
  inLane(workspaceId: SqlText, endpointId: SqlText): { where: SqlText; order: SqlText }
  /** The held rows of one endpoint, for {@link pick} or a `select`. */
  heldOf(endpointId: SqlText, between?: KeyRange): RowsInOrder
  /** The rows in line of one workspace, in the order of the index. */
  inLine(workspaceId: SqlText): { where: SqlText; order: SqlText }
  /** The rows of one workspace between two keys, in a table with an index on `workspace_id` and `id`. */
  ofWorkspace(workspaceId: string, between: { after?: string | SqlText; before?: string }): RowsInOrder
  /**
   * Follows {@link lanes}: the table `line (part, id, most)` of the newest rows of these lanes; see {@link
   * NewestInLine}. A part with `most` rows may have more.
   */
  newestInLine(options: NewestInLine): SqlText
  /** `with recursive …`, whose last table `lane (w, e)` has the lanes with rows; see {@link LookOptions}. */
  lanes(options: Resolved<LookOptions>): SqlText
  /** Deletes the rows of these claims; returns those that were current. */
  deleteClaims(refs: readonly ClaimRef[]): SqlText
  /** Inserts a row for each item whose claim is current: see {@link ClaimRecord}. */
  recordClaims<Item extends ClaimRef>(items: readonly Item[], record: ClaimRecord<Item>): SqlText[]
  /** Extends leases, never shortens them; returns the claims that are current. */
  extend(refs: readonly ClaimRef[], leaseMs: number, now: number | undefined): SqlText
  /**
   * A settle and the next take as one statement, where one statement can change a table twice. Returns the rows that
   * were taken, and `lostId` and `lostGen` for each claim that was no longer current. Without it, they are two statements of one
   * transaction.
   *
   * @param settling the settle of these claims; undefined: they are deleted
   * @param records records claims that are deleted
   */
  settleAndTake?(
    settling: SqlText | undefined,
    refs: readonly ClaimRef[],
    how: TakeOptions,
    records: ((table: TableOfItems) => SettledRecords) | undefined,
  ): SqlText
}

/** The parts of a statement that deletes claims and inserts a record for each of them that has an item. */
export interface SettledRecords {
  /** A `select` of `claim_id`, `claim_gen`, and the values of the items that they do not share. */
  claims: SqlText
  /** The columns that the delete returns beside `id`; `gen` is one of them. */
  returning: SqlText
  /** The insert, from the table of what the delete returned. */
  insert: (settled: string) => SqlText
}

/** Which rows in line to read, newest first. */
export interface NewestInLine {
  workspaceId: string
  /** Only this lane. */
  endpointId: string | undefined
  /** Rows below this key. */
  before: string
  /** Rows above this key. */
  after: string
  /** Rows in all, or `ofEach` rows of each lane if that is more. */
  rows: number
  ofEach: number
}

/** Keys from `from` on, before `before`. */
export interface KeyRange {
  from?: SqlText
  before?: SqlText
}

/** A condition, and its two orders: both are those of one index, and each query names one. */
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

/** How payloads are stored, and how the insert of their rows finds them, both in one transaction. */
export interface Stored {
  /** Statements directly before the insert; none if the insert itself stores the payloads. */
  before: SqlText[]
  /** Common table expressions of the insert. */
  ctes: SqlText[]
  /** Ends the `from` of the insert. */
  join: SqlText
  /**
   * The `payload_id` of a row, found by the position of its payload (from 1) in a column `place` of `event`; null when
   * none was stored.
   */
  id: SqlText
}

/** Which rows of `pending_events` a statement changes. */
export interface Which {
  where: SqlText
  /** The index that finds them. @default the primary key */
  by?: string
  /** Together with `limit`. A named set needs neither. */
  order?: SqlText
  limit?: number
}

/** The parts that {@link Dialect.pick} adds to a statement: the text before it, and its condition. */
export interface Picked {
  with: SqlText
  where: SqlText
}
