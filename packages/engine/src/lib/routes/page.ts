import type { Page } from '../delivery-list.ts'

/** A page as the API shows it: the cursor of the next one, and whether the look at its rows ended early. */
export function showPage<R, Shown>(
  { rows, next, complete }: Page<R>,
  show: (row: R) => Shown,
): { data: Shown[]; cursor?: string; complete?: false } {
  return {
    data: rows.map((row) => show(row)),
    ...(next !== undefined && { cursor: btoa(next) }),
    ...(!complete && { complete }),
  }
}
