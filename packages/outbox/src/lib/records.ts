import type { Dialect } from './dialect.ts'
import { type ClaimRecord, type ClaimSource, withKey } from './record.ts'
import type { ClaimRef } from './row.ts'
import { type SqlText, raw, sqlText } from './statement.ts'

/** The items of one settle; made by {@link recordsOf}. */
export interface ClaimRecords {
  /** The statements to commit with the settle, before it. */
  before(dialect: Pick<Dialect, 'recordClaims'>): SqlText[]
  /** The same as part of the statement that settles, from the table of the rows that it has settled. */
  within(dialect: Pick<Dialect, 'rows'>, settled: string): SqlText
}

export function recordsOf<Item extends ClaimRef>(items: readonly Item[], record: ClaimRecord<Item>): ClaimRecords {
  return {
    before: (dialect) => dialect.recordClaims(items, record),
    within: ({ rows }, settled) => record.insert(settledSource(rows('item', items, withKey(record.columns)), settled)),
  }
}

function settledSource(items: SqlText, settled: string): ClaimSource {
  return {
    from: sqlText`${raw(settled)} as claim join ${items} on item.claim_id = claim.id`,
    value: (column) => raw(`item.${column}`),
    place: raw('0'),
  }
}
