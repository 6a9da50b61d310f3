/** One endpoint of one workspace. Its rows that may go now stand in it, in the order of their events. */
export interface LaneRef {
  workspaceId: string
  /** `''`: rows without an endpoint. */
  endpointId: string
}

/** How many rows of a lane a claim takes at most. */
export interface LaneShare extends LaneRef {
  /** 1–1,000. */
  count: number
  /**
   * Only rows behind this one, by their ids. On Postgres a claim that goes on where the last one ended does not pass over
   * what that one has taken: 31 instead of 42 µs a row of 10,000. @default '' (from the first)
   */
  after?: string | undefined
}

export interface LookOptions {
  /** Workspaces behind this one, in the order of their ids. @default '' (from the first) */
  after?: string | undefined
  /** These workspaces alone, 1,000 at most, wherever they stand in that order. @default [] (every one) */
  only?: readonly string[] | undefined
  /** Workspaces at most: 1–1,000. @default 33 */
  workspaces?: number | undefined
  /** Lanes of each workspace at most: 1–1,000. @default 4 */
  endpoints?: number | undefined
  /** By workspace: only lanes behind this endpoint. */
  behind?: Readonly<Record<string, string>> | undefined
}
