import type { EventRecord } from './event-record.ts'
import type { SqlText } from './statement.ts'

/** The labels of an event's payload, and copies of it in other versions. */
export interface PayloadVersions {
  /** The labels that the payload itself has; the first is its own. */
  labels: readonly [string, ...string[]]
  /** At most 50, each with the labels that it has. */
  copies: readonly PayloadCopy[]
}

export interface PayloadCopy {
  labels: readonly [string, ...string[]]
  payload: string
}

/** A copy to store if a receiver has one of its labels. */
export interface CopyToStore extends PayloadCopy {
  eventId: string
}

/** How copies are stored, and how the insert of their rows finds them, both in one transaction. */
export interface StoredCopies {
  /** Statements directly before that which stores the payload itself. */
  before: SqlText[]
  /** Common table expressions of the insert. */
  ctes: SqlText[]
  /**
   * A `select` of the labels with `place`, 0 for the payload itself, and with `copy_id`, null if there is no copy. For the
   * insert of the record, in the same transaction.
   */
  known: SqlText
}

/** Which receivers get a copy, in terms of the `from` that finds them. */
export interface CopyReceivers {
  from: SqlText
  /** The label that a receiver has; null: that of the payload. */
  label: SqlText
  record: EventRecord | undefined
}
