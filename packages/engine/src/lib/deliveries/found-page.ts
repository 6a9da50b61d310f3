import type { Page } from '../page.ts'

/** How far a search came: see `findStatement`. */
interface Reached {
  reached: string
  complete: 0 | 1
}

/** A row and how far the search came. If no row was found, one with only the latter. */
export type Found<R> = Reached & (R | { id: null })

/** @param found the rows of the page, and one more if there is one */
export function pageOf<R extends { id: string }, Shown>(
  found: readonly Found<R>[],
  limit: number,
  show: (row: R) => Shown,
): Page<Shown> {
  const [{ reached, complete } = { reached: '', complete: 1 }] = found
  const rows = found.filter((row): row is Reached & R => row.id !== null)
  const shown = rows.slice(0, limit)
  const isFull = rows.length > limit
  return {
    rows: shown.map(show),
    next: isFull ? shown.at(-1)?.id : reached === '' ? undefined : reached,
    complete: (isFull || reached === '') && complete === 1,
  }
}
