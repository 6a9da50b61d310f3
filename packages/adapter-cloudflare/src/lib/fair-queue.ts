import type { TakenEvent } from '@keepsend/outbox'

/**
 * Whose turn it is in a batch: the workspace that has the fewest in flight goes next, and of it the endpoint that has the
 * fewest, so that the rows of one do not take all five slots while others wait.
 */
export class FairQueue<T extends Item> {
  readonly #waiting: T[]
  readonly #underWay = new Map<string, number>()
  readonly #ofWorkspace = new Map<string, number>()
  readonly #limits = new Map<string, number>()

  constructor(items: readonly T[]) {
    this.#waiting = [...items]
  }

  /** The next row; undefined when none may go now. Whoever finishes one asks again. */
  next(): T | undefined {
    let best: T | undefined
    for (const item of this.#waiting) {
      const running = this.underWay(item)
      if (running >= (this.#limits.get(endpointOf(item)) ?? Infinity)) continue
      if (!best || this.#comparedWith(best, item) > 0) best = item
    }
    if (!best) return undefined
    this.#waiting.splice(this.#waiting.indexOf(best), 1)
    this.#count(best, 1)
    return best
  }

  /** Rows of its endpoint that are out, itself among them. */
  underWay(item: T): number {
    return this.#underWay.get(endpointOf(item)) ?? 0
  }

  done(item: T): void {
    this.#count(item, -1)
  }

  /** Its endpoint takes no more than so many at once: says whether this one may go, and keeps it for later if not. */
  mayGo(item: T, limit: number): boolean {
    this.#limits.set(endpointOf(item), limit)
    if (this.underWay(item) <= limit) return true
    this.#count(item, -1)
    this.#waiting.unshift(item)
    return false
  }

  /** Above 0 when the other goes before this one. */
  #comparedWith(one: T, other: T): number {
    return this.#running(one) - this.#running(other) || this.underWay(one) - this.underWay(other)
  }

  #running({ row }: T): number {
    return this.#ofWorkspace.get(row.workspaceId) ?? 0
  }

  #count(item: T, by: number): void {
    this.#underWay.set(endpointOf(item), this.underWay(item) + by)
    this.#ofWorkspace.set(item.row.workspaceId, this.#running(item) + by)
  }
}

function endpointOf({ row }: Item): string {
  return row.endpointId ?? ''
}

/** A row in hand. */
export interface Item {
  row: TakenEvent
  /** When it was read, on the monotonic clock. */
  readAt: number
}
