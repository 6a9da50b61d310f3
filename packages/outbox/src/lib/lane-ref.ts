/** One endpoint of one workspace. Its rows that may go now are in line there, in the order of their events. */
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
   * Only rows after this one, by their ids. On Postgres a claim that continues after the last one does not read past
   * the rows that the last one took: 31 instead of 42 µs a row of 10,000. @default '' (from the first)
   */
  after?: string | undefined
}

export interface LookOptions {
  /** Only workspaces after this one, in the order of their ids. @default '' (from the first) */
  after?: string | undefined
  /** Only these workspaces, at most 1,000. @default [] (every one) */
  only?: readonly string[] | undefined
  /** Workspaces at most: 1–1,000. @default 33 */
  workspaces?: number | undefined
  /** Lanes of each workspace at most: 1–1,000. @default 4 */
  endpoints?: number | undefined
  /** By workspace: only lanes after this endpoint. */
  behind?: Readonly<Record<string, string>> | undefined
}
