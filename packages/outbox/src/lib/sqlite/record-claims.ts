import type { ClaimRecord } from '../record.ts'
import type { ClaimRef } from '../row.ts'
import { type SqlText, type SqlValue, joined, raw, sqlText, template } from '../statement.ts'

// Items of a statement. A statement for each item took 30 µs a row: the last id is read from the table that is inserted into, so
// SQLite keeps the rows of each statement in a table of its own. With 32 items it takes 11. As one statement with JSON, the
// values of 18 columns took 6 to 9 µs a row more.
const SIZES = [1, 8, 32] as const
const LARGEST = 32

/**
 * Statements for some items each. A value that all of them share, such as the nulls of attempts that succeeded, is bound once: an
 * attempt took 4.5 µs, and takes 3.1. The last entries of a statement may name no claim.
 */
export function recordClaims<Item extends ClaimRef>(items: readonly Item[], record: ClaimRecord<Item>): SqlText[] {
  const columns = Object.entries(record.columns)
  const statements: SqlText[] = []
  for (let at = 0; at < items.length; at += LARGEST) {
    const part = items.slice(at, at + LARGEST)
    const size = SIZES.find((one) => one >= part.length) ?? LARGEST
    const own: typeof columns = []
    const shared: SqlValue[] = []
    for (const column of columns) {
      const [, [, valueOf]] = column
      const first = part[0] ? valueOf(part[0]) : null
      if (part.every((item) => valueOf(item) === first)) shared.push(first)
      else own.push(column)
    }
    const values = part.flatMap((item) => [...own.map(([, [, valueOf]]) => valueOf(item)), item.id, item.gen])
    const left = (own.length + 2) * (size - part.length)
    const fill = fillOf(record, size, new Set(own.map(([name]) => name)))
    statements.push(fill([...shared, ...values, ...Array.from({ length: left }, () => null)]))
  }
  return statements
}

type Fill = (values: readonly SqlValue[]) => SqlText

// The statements of each record, by their sizes and the columns that each item has of its own.
const fills = new WeakMap<object, Map<string, Fill>>()
// A few dozen are used; small groups share values by chance.
const MAX_FILLS = 200

function fillOf<Item extends ClaimRef>(record: ClaimRecord<Item>, size: number, own: ReadonlySet<string>): Fill {
  let ofRecord = fills.get(record)
  if (!ofRecord) fills.set(record, (ofRecord = new Map()))
  const key = [size, ...own].join(' ')
  let fill = ofRecord.get(key)
  if (!fill) {
    if (ofRecord.size >= MAX_FILLS) ofRecord.clear()
    ofRecord.set(key, (fill = statementOf(record, size, own)))
  }
  return fill
}

/** @param own the columns of each item; the values of the others come first, in their order */
function statementOf<Item extends ClaimRef>(record: ClaimRecord<Item>, size: number, own: ReadonlySet<string>): Fill {
  const shared = Object.keys(record.columns).filter((name) => !own.has(name))
  const names = [...own, 'claim_id', 'claim_gen']
  return template(shared.length + names.length * size, (values) => {
    const ofItems = values.slice(shared.length)
    const entries = Array.from({ length: size }, (_, place) => {
      const columns = names.map(
        (name, index) => sqlText`${ofItems[place * names.length + index] ?? null} as ${raw(name)}`,
      )
      return sqlText`select ${raw(String(place))} as place, ${joined(columns, ', ')}`
    })
    return record.insert({
      // In this order: each claim is found by its key.
      from: sqlText`(${joined(entries, ' union all ')}) as entry cross join pending_events as claim
      where claim.id = entry.claim_id and claim.gen = entry.claim_gen and claim.status = 'pending'`,
      value: (column) =>
        own.has(column) ? raw(`entry.${column}`) : sqlText`${values[shared.indexOf(column)] ?? null}`,
      place: raw('entry.place'),
    })
  })
}
