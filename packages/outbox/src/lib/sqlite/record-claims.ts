import type { ClaimRecord } from '../record.ts'
import type { ClaimRef } from '../row.ts'
import { type SqlText, type SqlValue, raw, sqlText, template } from '../statement.ts'

/**
 * A statement for each item, all with one text, prepared once: as one statement with JSON the values of 18 columns took
 * 6 to 9 µs a row more.
 */
export function recordClaims<Item extends ClaimRef>(items: readonly Item[], record: ClaimRecord<Item>): SqlText[] {
  const columns = Object.entries(record.columns)
  let filled = templates.get(record)
  if (!filled) {
    const names = columns.map(([name]) => name)
    filled = template(names.length + 2, (values) => {
      const [id = '', gen = ''] = values.slice(-2)
      return record.insert({
        from: sqlText`pending_events as claim where id = ${id} and gen = ${gen} and status = 'pending'`,
        value: (column) => sqlText`${values[names.indexOf(column)] ?? ''}`,
        place: raw('0'),
      })
    })
    templates.set(record, filled)
  }
  const fill = filled
  return items.map((item) => fill([...columns.map(([, [, valueOf]]) => valueOf(item)), item.id, item.gen]))
}

// The text of the insert of each record.
const templates = new WeakMap<object, (values: readonly SqlValue[]) => SqlText>()
