import type { LaneShare } from './lane-ref.ts'
import type { ClaimRef } from './row.ts'

/** Which rows a take picks, and what taking them means. */
export interface TakeOptions {
  /**
   * `lanes`: the first rows of each of these lanes. `due`: rows that waited for a time which has come. `first-sends`: rows dispatched to a queue (`due_at` null) whose key lies in
   * `[fromId, toId)`. `handed-off`: the same in `(afterId, toId]`, by their `created_at`. `named`: these claims.
   */
  rows:
    | { kind: 'lanes'; lanes: readonly LaneShare[] }
    | { kind: 'due' }
    | { kind: 'first-sends'; fromId: string; toId: string }
    | { kind: 'dispatched'; afterId: string; toId: string; createdBefore: number }
    | { kind: 'named'; claims: readonly ClaimRef[] }
  /**
   * A claim counts an attempt, leaves its mark, and reads the payload; a sweep does none of these, and doubles the lease with
   * each `gen`.
   */
  as: 'claim' | 'sweep'
  /** Rows at most; of `lanes` each says its own. */
  limit: number
  leaseMs: number
  now: number | undefined
}
