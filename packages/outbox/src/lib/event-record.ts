import type { SqlText } from './statement.ts'

/**
 * A record of an event in a table of the caller's. It is inserted with the rows of the event, and refers to its
 * payload, which is then stored once, however few the receivers.
 */
export interface EventRecord {
  /**
   * Selects `payload_id` and `content_type`, and for an event with versions `version` and `copies`, of an earlier publish of the event whose payload is stored, and locks that
   * record; no row if there is none.
   */
  earlier: SqlText
  /** Without this condition nothing is stored and recorded. It refers to no column of the receivers. */
  only: SqlText
  /** Returns the insert of the record, unless there is one already. */
  insert(source: EventRecordSource): SqlText
  /**
   * Returns an insert of rows by which the record is found, in the same transaction.
   *
   * @param inserted a table with the record if it was inserted; undefined: it is in its own table
   */
  index?: ((inserted: SqlText | undefined) => SqlText) | undefined
}

interface EventRecordSource {
  /** The text after `from`: a table `stored` with the `id` of the payload, and its conditions. Without a row: no record. */
  from: SqlText
  /** The number of rows that were inserted. */
  deliveries: SqlText
  /** The ids of its payloads by their labels, as JSON; undefined: it has no versions. */
  copies: SqlText | undefined
}
