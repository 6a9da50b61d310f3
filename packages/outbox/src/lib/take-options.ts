import type { LaneShare } from './lane-ref.ts'
import type { ClaimRef } from './row.ts'

/** Which rows to take, and whether as a claim or as a sweep. */
export interface TakeOptions {
  /**
   * `lanes`: the first rows of each of these lanes. `due`: rows that have become due. `first-sends`: dispatched rows
   * (`due_at` null) whose key lies in `[fromId, toId)`. `dispatched`: dispatched rows in `(afterId, toId]`, by their
   * `created_at`. `named`: these claims.
   */
  rows:
    | { kind: 'lanes'; lanes: readonly LaneShare[] }
    | { kind: 'due' }
    | { kind: 'first-sends'; fromId: string; toId: string }
    | { kind: 'dispatched'; afterId: string; toId: string; createdBefore: number }
    | { kind: 'named'; claims: readonly ClaimRef[] }
  /**
   * A claim counts an attempt, leaves its mark and reads the payload. A sweep does none of these, and doubles the lease
   * with each `gen`.
   */
  as: 'claim' | 'sweep'
  /** Rows at most; for `lanes`, each has its own `count`. */
  limit: number
  leaseMs: number
  now: number | undefined
}
