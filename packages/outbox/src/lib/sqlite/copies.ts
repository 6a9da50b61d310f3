import type { Dialect } from '../dialect.ts'
import { type SqlText, raw, sqlText } from '../statement.ts'
import type { CopyReceivers } from '../versions.ts'

/**
 * Each copy is stored by a statement of its own, before the payload itself, so that this is the last one. There is one writer:
 * a copy is among the last payloads, and one of an earlier publish of the event is older.
 */
export const storeCopies =
  ({ rows, oneOf }: Pick<Dialect, 'rows' | 'oneOf'>): Dialect['storeCopies'] =>
  (own, copies, receivers) => {
    const eventId = copies[0]?.eventId ?? ''
    const places = [own, ...copies.map(({ labels }) => labels)].flatMap((labels, place) =>
      labels.map((label) => ({ label, place, name: labels[0] ?? '' })),
    )
    const labels = rows('listed', places, {
      label: ['text', ({ label }) => label],
      place: ['integer', ({ place }) => place],
      name: ['text', ({ name }) => name],
    })
    const found =
      copies.length === 0
        ? raw('null')
        : sqlText`(
          select max(copy.id) from keepsend_payloads as copy
          where listed.place > 0 and copy.event_id = ${eventId} and copy.version = listed.name
            and copy.id >= (select max(id) from keepsend_payloads) - ${raw(String(copies.length))})`
    const known = sqlText`select listed.label as label, listed.place as place, ${found} as copy_id from ${labels}`
    return {
      before: copies.map(
        ({ labels: ofCopy, payload }) => sqlText`
    insert into keepsend_payloads (event_id, payload, version)
    select ${eventId}, ${payload}, ${ofCopy[0]}
    where exists (select 1 from ${receivers.from} and ${receivers.label} ${oneOf(ofCopy)})${unlessEarlier(receivers)}`,
      ),
      ctes: [sqlText`labelled as materialized (${known})`],
      known,
    }
  }

function unlessEarlier({ record }: CopyReceivers): SqlText {
  return record ? sqlText` and not exists (${record.earlier})` : raw('')
}
