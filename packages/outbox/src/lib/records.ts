import type { Dialect, SettledRecords } from './dialect.ts'
import { type ClaimRecord, RECORDED, withKey } from './record.ts'
import type { RowSource, TableOfItems } from './row-source.ts'
import { byId } from './row-id.ts'
import type { ClaimRef } from './row.ts'
import { type SqlText, joined, raw, sqlText } from './statement.ts'

/** The items of one settle; made by {@link recordsOf}. */
export interface ClaimRecords {
  /** The statements to commit with the settle, before it. */
  before(dialect: Pick<Dialect, 'recordClaims'>): SqlText[]
  /** The same as part of the statement that deletes these claims. */
  within(table: TableOfItems, refs: readonly ClaimRef[]): SettledRecords
}

export function recordsOf<Item extends ClaimRef>(items: readonly Item[], record: ClaimRecord<Item>): ClaimRecords {
  return {
    before: (dialect) => dialect.recordClaims(items, record),
    within(table, refs) {
      const itemOf = new Map(items.map((item) => [keyOf(item), item]))
      // By key, so that statements that lock the same rows lock them in the same order.
      const claims = refs.toSorted(byId).map(({ id, gen }) => ({ id, gen, item: itemOf.get(keyOf({ id, gen })) }))
      const source = { ...ifRecorded(record.columns), is_recorded: IS_RECORDED }
      const { from, columns, value } = table('claim', claims, withKey(source))
      const ofItems = columns.filter((name) => name in source).map((name) => raw(`claim.${name}`))
      const key = sqlText`${value('claim_id')} as claim_id, ${value('claim_gen')} as claim_gen`
      return {
        claims: sqlText`select ${joined([key, ...ofItems], ', ')} from ${from}`,
        returning: joined([RECORDED, ...ofItems], ', '),
        insert: (settled) =>
          record.insert({
            from: sqlText`${raw(settled)} as claim where ${value('is_recorded')} = 1`,
            value,
            place: raw('0'),
          }),
      }
    },
  }
}

/** With `gen`: a process whose lease expired may settle two claims of one row together. */
function keyOf({ id, gen }: ClaimRef): string {
  return `${gen} ${id}`
}

/** A claim, and its item if it has one. */
interface MayBeRecorded<Item> extends ClaimRef {
  item: Item | undefined
}

const IS_RECORDED = ['integer', ({ item }: MayBeRecorded<unknown>) => Number(item !== undefined)] as const

function ifRecorded<Item>(columns: RowSource<Item>): RowSource<MayBeRecorded<Item>> {
  return Object.fromEntries(
    Object.entries(columns).map(([name, column]) => {
      if (column[0] === 'text') return [name, ['text', ({ item }) => (item === undefined ? null : column[1](item))]]
      return [name, ['integer', ({ item }) => (item === undefined ? null : column[1](item))]]
    }),
  )
}
