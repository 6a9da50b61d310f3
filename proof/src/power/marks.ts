/** A promise to the writer, or its request, at a point of the recording. A delivery is `<event id>.<endpoint id>`. */
export type Mark =
  /** Promises count from here on. */
  | { ready: true; endpoints: string[] }
  | { done: true }
  | { acknowledged: string }
  | { claimed: string; gen: number }
  | { settling: string[] }
  | { settled: string[] }

/** All promises up to a point. */
export interface Promises {
  /** The endpoints of every event. */
  endpoints: string[]
  acknowledged: Set<string>
  /** The last `gen` under which each delivery was claimed. */
  claimed: Map<string, number>
  /** Deliveries whose settle had begun: their rows may be there or not. */
  settling: Set<string>
  settled: Set<string>
}

export function noPromises(): Promises {
  return { endpoints: [], acknowledged: new Set(), claimed: new Map(), settling: new Set(), settled: new Set() }
}

export function recordPromise(promises: Promises, mark: Mark): void {
  if ('ready' in mark) promises.endpoints = mark.endpoints
  else if ('acknowledged' in mark) promises.acknowledged.add(mark.acknowledged)
  else if ('claimed' in mark) promises.claimed.set(mark.claimed, mark.gen)
  else if ('settling' in mark) for (const id of mark.settling) promises.settling.add(id)
  else if ('settled' in mark) for (const id of mark.settled) promises.settled.add(id)
}
