import type { ClaimRecord } from '../record.ts'
import type { ClaimRef } from '../row.ts'
import { type SqlText, type SqlValue, joined, raw, sqlText, template } from '../statement.ts'

// Items of a statement. A statement for each item took 30 µs a row: the last id is read from the table that is inserted into, so
// SQLite keeps the rows of each statement in a table of its own. With 32 items it takes 11. As one statement with JSON, the
// values of 18 columns took 6 to 9 µs a row more.
const SIZES = [1, 8, 32] as const
const LARGEST = 32

/** Statements for some items each, with one text for each size, prepared once. Its last entries may name no claim. */
export function recordClaims<Item extends ClaimRef>(items: readonly Item[], record: ClaimRecord<Item>): SqlText[] {
  const columns = Object.values(record.columns)
  const statements: SqlText[] = []
  for (let at = 0; at < items.length; at += LARGEST) {
    const part = items.slice(at, at + LARGEST)
    const size = SIZES.find((one) => one >= part.length) ?? LARGEST
    const values = part.flatMap((item) => [...columns.map(([, valueOf]) => valueOf(item)), item.id, item.gen])
    const left = (columns.length + 2) * (size - part.length)
    statements.push(fillOf(record, size)([...values, ...Array.from({ length: left }, () => null)]))
  }
  return statements
}

type Fill = (values: readonly SqlValue[]) => SqlText

// The statements of each record, by their sizes.
const fills = new WeakMap<object, Map<number, Fill>>()

function fillOf<Item extends ClaimRef>(record: ClaimRecord<Item>, size: number): Fill {
  let ofRecord = fills.get(record)
  if (!ofRecord) fills.set(record, (ofRecord = new Map()))
  let fill = ofRecord.get(size)
  if (!fill) ofRecord.set(size, (fill = statementOf(record, size)))
  return fill
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
