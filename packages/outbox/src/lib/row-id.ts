import { type SqlText, raw, sqlText } from './statement.ts'

/** Returns the key of a row: `<event id>.<endpoint id>`, or the event id alone. Neither part contains a dot. */
export function rowId(eventId: string, endpointId?: string): string {
  return endpointId === undefined ? eventId : `${eventId}.${endpointId}`
}

/** Returns the event id inside a row's key. */
export function eventIdOf(id: string): string {
  const dot = id.indexOf('.')
  return dot === -1 ? id : id.slice(0, dot)
}

/** Returns the endpoint id inside a row's key; `''` when the row has no endpoint. */
export function endpointIdOf(id: string): string {
  const dot = id.indexOf('.')
  return dot === -1 ? '' : id.slice(dot + 1)
}

/** The length of an event id: `evt_` and a UUID. */
const EVENT_ID_LENGTH = 40

/** Greater than every key: no UUID begins with a letter after `f`. */
export const BEHIND_EVERY_EVENT = 'evt_g'

/** The event id inside a key, in SQL; null for null. */
export function eventIdIn(id: SqlText): SqlText {
  return sqlText`substr(${id}, 1, ${raw(String(EVENT_ID_LENGTH))})`
}

/**
 * The condition that selects every delivery of one event: a range of keys, so it reads no other rows. '/' follows '.',
 * and no key has a character between the two there.
 *
 * @param eventId the id, or a column that holds it
 * @param before only rows below this key. It replaces the upper bound: of two upper bounds SQLite may use the worse.
 */
export function eventRange(eventId: string | SqlText, before?: string): SqlText {
  if (typeof eventId !== 'string') {
    return sqlText`pending_events.id > ${eventId} || '.' and pending_events.id < ${eventId} || '/'`
  }
  const end = `${eventId}/`
  return sqlText`pending_events.id > ${`${eventId}.`} and pending_events.id < ${before !== undefined && before < end ? before : end}`
}

/** Compares rows by their keys, which have the order of their events. */
export function byId(one: { id: string }, other: { id: string }): number {
  return one.id < other.id ? -1 : one.id > other.id ? 1 : 0
}
