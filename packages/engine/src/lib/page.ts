/** A page of a list, newest first. */
export interface Page<R> {
  rows: R[]
  /** The `before` of the next page; undefined if there is none. */
  next: string | undefined
  /** False if the search stopped before the page was full, or may have missed rows in flight. Continue with `next`, if there is one. */
  complete: boolean
}
