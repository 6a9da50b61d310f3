import type { RowSource } from './row-source.ts'
import type { ClaimRef } from './row.ts'
import { type SqlText, raw } from './statement.ts'

/**
 * An insert of one row for each of some claims, in the transaction of their settle. It reads a claim while it is
 * current, so a lost settle records nothing.
 */
export interface ClaimRecord<Item extends ClaimRef> {
  /** The values of an item, by the names that {@link ClaimSource.value} takes. */
  readonly columns: RowSource<Item>
  /** Builds the insert. It may bind only what the source has. */
  insert(source: ClaimSource): SqlText
}

/** The claims that are recorded, for the `select` of the insert. */
export interface ClaimSource {
  /** Ends the `select`, after `from`: the table `claim` has the columns of {@link RECORDED}, as before the settle. */
  from: SqlText
  /** The value of a column of the claim's item. */
  value: (column: string) => SqlText
  /** The position of the row within the statement, from 0. */
  place: SqlText
}

/** The columns of a claim that a record can read, beside `id`. */
export const RECORDED = raw(
  'gen, workspace_id, endpoint_id, event_type, attempts, claimed_at, created_at, deliver_at, replayed_at',
)

/** The columns of the items, and those that name the claim of each. */
export function withKey<Item extends ClaimRef>(columns: RowSource<Item>): RowSource<Item> {
  return { ...columns, claim_id: ['text', ({ id }) => id], claim_gen: ['integer', ({ gen }) => gen] }
}
