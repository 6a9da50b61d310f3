import type { Dialect } from '../dialect.ts'
import { raw, sqlText } from '../statement.ts'

/** Parts of the insert: the receivers whose labels are looked up are those that get a row. */
export const storeCopies =
  (rows: Dialect['rows']): Dialect['storeCopies'] =>
  (own, copies, { record }) => {
    const places = [own, ...copies.map(({ labels }) => labels)].flatMap((labels, place) =>
      labels.map((label) => ({ label, place })),
    )
    const labels = rows('listed', places, {
      label: ['text', ({ label }) => label],
      place: ['integer', ({ place }) => place],
    })
    if (copies.length === 0)
      return {
        before: [],
        ctes: [sqlText`labelled as materialized (select label, place, cast(null as bigint) as copy_id from ${labels})`],
        known: KNOWN,
      }
    const source = rows('source', [...copies.entries()], {
      place: ['integer', ([index]) => index + 1],
      event_id: ['text', ([, { eventId }]) => eventId],
      version: ['text', ([, copy]) => copy.labels[0]],
      payload: ['text', ([, { payload }]) => payload],
    })
    const unlessEarlier = record ? raw('and not exists (select 1 from earlier)') : raw('')
    return {
      before: [],
      ctes: [
        sqlText`listed as materialized (select label, place from ${labels})`,
        sqlText`copied as materialized (
      select place, event_id, version, payload, nextval('keepsend_payload_id') as copy_id from ${source}
      where place in (select listed.place from receiver join listed on listed.label = receiver.wanted) ${unlessEarlier})`,
        raw(`copies as (
      insert into keepsend_payloads (id, event_id, payload, version) select copy_id, event_id, payload, version from copied)`),
        raw(`labelled as materialized (
      select listed.label, listed.place, copied.copy_id from listed left join copied on copied.place = listed.place)`),
      ],
      known: KNOWN,
    }
  }

const KNOWN = raw('select label, place, copy_id from labelled')
