import type { ClaimRecord } from '../record.ts'
import type { ClaimRef } from '../row.ts'
import { type SqlText, type SqlValue, joined, raw, sqlText, template } from '../statement.ts'

// Items of a statement, largest first: the rest of a settle takes the smaller ones. A statement for each item took 30 µs a row: the
// last id is read from the table that is inserted into, so SQLite keeps the rows of each statement in a table of its own. With 16
// items it takes 14. As one statement with JSON, the values of 18 columns took 6 to 9 µs a row more.
const SIZES = [16, 4, 1] as const

/** Statements for some items each, with one text for each number of items, prepared once. */
export function recordClaims<Item extends ClaimRef>(items: readonly Item[], record: ClaimRecord<Item>): SqlText[] {
  const valuesOf = Object.values(record.columns).map(([, valueOf]) => valueOf)
  const rows = items.map((item) => [...valuesOf.map((valueOf) => valueOf(item)), item.id, item.gen])
  const statements: SqlText[] = []
  for (const [index, fill] of fillsOf(record).entries()) {
    const size = SIZES[index] ?? 1
    while (rows.length >= size) statements.push(fill(rows.splice(0, size).flat()))
  }
  return statements
}

type Fill = (values: readonly SqlValue[]) => SqlText

// The statements of each record, by their numbers of items.
const statements = new WeakMap<object, Fill[]>()

function fillsOf<Item extends ClaimRef>(record: ClaimRecord<Item>): Fill[] {
  let fills = statements.get(record)
  if (!fills) {
    fills = SIZES.map((size) => statementOf(record, size))
    statements.set(record, fills)
  }
  return fills
}

function statementOf<Item extends ClaimRef>(record: ClaimRecord<Item>, size: number): Fill {
  const names = [...Object.keys(record.columns), 'claim_id', 'claim_gen']
  return template(names.length * size, (values) => {
    const entries = Array.from({ length: size }, (_, place) => {
      const own = values.slice(place * names.length, (place + 1) * names.length)
      const columns = own.map((value, index) => sqlText`${value} as ${raw(names[index] ?? '')}`)
      return sqlText`select ${raw(String(place))} as place, ${joined(columns, ', ')}`
    })
    return record.insert({
      // In this order: each claim is found by its key.
      from: sqlText`(${joined(entries, ' union all ')}) as entry cross join pending_events as claim
      where claim.id = entry.claim_id and claim.gen = entry.claim_gen and claim.status = 'pending'`,
      value: (column) => raw(`entry.${column}`),
      place: raw('entry.place'),
    })
  })
}
