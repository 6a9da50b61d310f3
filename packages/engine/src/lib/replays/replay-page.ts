import type { replays } from '../sqlite/tables.ts'

/** Where a replay finds its deliveries: endpoint by endpoint, each in an order that a position continues. */
export interface ReplaySource {
  /** Which of its deliveries are inserted again if they have no row. */
  inserts: InsertedAgain | undefined
  /** The endpoint after this one; undefined: there is none. */
  nextEndpoint(after: string): Promise<string | undefined>
  /** Reads a bounded number of rows. The first position is ''. */
  page(at: PageAt): Promise<ReplayPage>
}

export interface InsertedAgain {
  /** `delivered`: whose last attempt delivered, and is retained; `missed`: whose last attempt, if there is one, did not. */
  which: 'delivered' | 'missed'
  /** How long attempts are retained, if the workspace has no shorter retention. */
  retentionMs: number
}

export interface PageAt {
  endpointId: string
  position: string
  /** 1–1,000. */
  limit: number
}

export interface ReplayPage {
  /** Deliveries of this endpoint. */
  ids: string[]
  /** The position after them. */
  position: string
  /** Whether the endpoint has no others. */
  isLast: boolean
}

/** The properties of a job by which its deliveries are found. */
export type Searched = Pick<
  typeof replays.$inferSelect,
  'workspaceId' | 'what' | 'selection' | 'ids' | 'sinceAt' | 'untilAt'
>
