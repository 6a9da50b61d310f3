// A list of deliveries has two sources, each newest first: rows, by the time of their event, and delivered ones without a row, by
// the time of their settle. A page merges them by these times, and its cursor is a position in each.

/** One source's part of a page. */
export interface Part<R, Key extends string | number> {
  /** Newest first, at most as many as the page shows. */
  entries: Entry<R, Key>[]
  /** Where the source continues after these entries; undefined if it ends with them. */
  next: { position: string; key: Key } | undefined
  /** Where it continues if none of them is shown. */
  start: string
}

export interface Entry<R, Key extends string | number> {
  row: R
  /** The order of the page. */
  key: Key
  /** The order of the source. */
  position: string
}

interface Merged<R, Key> {
  rows: R[]
  /** The position in each part behind what is shown; undefined behind its end. */
  rests: [first: string | undefined, second: string | undefined]
  /** Everything is shown down to this key; undefined if nothing is left. */
  end: Key | undefined
}

/** Merges the newest entries of two parts. On equal keys the first part's come first. */
export function mergeParts<R, Key extends string | number>(
  parts: readonly [Part<R, Key>, Part<R, Key>],
  limit: number,
): Merged<R, Key> {
  const [first, second] = parts
  // Nothing is shown that is older than an entry which the other part has not found yet.
  const found = [
    ...first.entries.filter(({ key }) => second.next === undefined || key >= second.next.key),
    ...second.entries.filter(({ key }) => first.next === undefined || key > first.next.key),
  ].toSorted((one, other) => compare(other.key, one.key))
  const shown = found.slice(0, limit)
  const isShown = new Set(shown)
  const restOf = ({ entries, next, start }: Part<R, Key>): string | undefined => {
    const count = entries.filter((entry) => isShown.has(entry)).length
    return count === entries.length ? next?.position : (entries[count - 1]?.position ?? start)
  }
  const [end] = parts.flatMap(({ next }) => next?.key ?? []).toSorted((one, other) => compare(other, one))
  return {
    rows: shown.map(({ row }) => row),
    rests: [restOf(first), restOf(second)],
    end: shown.length < found.length ? shown.at(-1)?.key : end,
  }
}

function compare(one: string | number, other: string | number): number {
  return one < other ? -1 : one > other ? 1 : 0
}

/** The time in a key of `pending_events`, or in the beginning of one; 0 for a key that was written by hand. */
export function keyTime(id: string): number {
  return Number.parseInt(id.slice(4, 12) + id.slice(13, 17), 16) || 0
}

// No key is below the first, and no attempt below the second.
const ENDS = ['evt_', '0'] as const

/** The positions in both sources as one text; undefined if both have ended. */
export function joinPositions([key, attemptId]: readonly [string | undefined, string | undefined]): string | undefined {
  if (key === undefined && attemptId === undefined) return undefined
  return `${key ?? ENDS[0]}..${attemptId ?? ENDS[1]}`
}

/** The positions in a text of {@link joinPositions}. A text without the second is a key alone. */
export function splitPositions(text: string): [key: string, attemptId: string | undefined] {
  const [, key, attemptId] = /^(.*)\.\.([0-9]{1,19})$/.exec(text) ?? []
  return key === undefined ? [text, undefined] : [key, attemptId]
}
