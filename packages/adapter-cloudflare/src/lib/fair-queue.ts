import type { TakenEvent } from '@keepsend/outbox'

/**
 * Orders the rows of a batch: the workspace with the fewest attempts in flight goes next, and within it the endpoint with the
 * fewest, so that the rows of one do not use all five slots while others wait.
 */
export class FairQueue<T extends Item> {
  readonly #waiting: T[]
  readonly #inFlight = new Map<string, number>()
  readonly #inFlightOfWorkspace = new Map<string, number>()
  readonly #limits = new Map<string, number>()

  constructor(items: readonly T[]) {
    this.#waiting = [...items]
  }

  /** The next row; undefined when none may start now. Call it again after each {@link done}. */
  next(): T | undefined {
    let best: T | undefined
    for (const item of this.#waiting) {
      const running = this.inFlight(item)
      if (running >= (this.#limits.get(endpointOf(item)) ?? Infinity)) continue
      if (!best || this.#compare(best, item) > 0) best = item
    }
    if (!best) return undefined
    this.#waiting.splice(this.#waiting.indexOf(best), 1)
    this.#count(best, 1)
    return best
  }

  /** Rows of its endpoint in flight, including itself. */
  inFlight(item: T): number {
    return this.#inFlight.get(endpointOf(item)) ?? 0
  }

  done(item: T): void {
    this.#count(item, -1)
  }

  /** Limits the endpoint to `limit` concurrent attempts. Returns whether this row may start; if not, it waits again. */
  admitWithin(item: T, limit: number): boolean {
    this.#limits.set(endpointOf(item), limit)
    if (this.inFlight(item) <= limit) return true
    this.#count(item, -1)
    this.#waiting.unshift(item)
    return false
  }

  /** Above 0 when `other` goes before `one`. */
  #compare(one: T, other: T): number {
    return this.#running(one) - this.#running(other) || this.inFlight(one) - this.inFlight(other)
  }

  #running({ row }: T): number {
    return this.#inFlightOfWorkspace.get(row.workspaceId) ?? 0
  }

  #count(item: T, by: number): void {
    this.#inFlight.set(endpointOf(item), this.inFlight(item) + by)
    this.#inFlightOfWorkspace.set(item.row.workspaceId, this.#running(item) + by)
  }
}

function endpointOf({ row }: Item): string {
  return row.endpointId ?? ''
}

/** A row to deliver. */
export interface Item {
  row: TakenEvent
  /** When it was read, on the monotonic clock. */
  readAt: number
}
