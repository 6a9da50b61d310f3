/** The options of a contender. */
export interface Setup {
  /** Where it stores its events: a folder, or the URL of a Postgres or Redis. Empty when it is opened. */
  place: string
  /** The receiver's URL. */
  receiver: string
  /** Concurrent requests, in this process. */
  concurrency: number
  /** Endpoints over which seeded events are spread, for a contender that has endpoints. @default 1 */
  endpoints?: number | undefined
  /** The size of each event, for a contender that supports more than one. @default 500 */
  payloadBytes?: number | undefined
  /** Whether it records attempts, for a contender that has history. @default false */
  history?: boolean | undefined
  /** Further arguments of its own: see the files in contenders/. */
  flavour: string
}

/**
 * Stores events and sends them as signed POSTs, in one process. Several processes may open one on the same place; the
 * first was opened alone, and created the tables.
 */
export interface Contender {
  /** Stores events, for `start` to find. */
  seed(events: number): Promise<void>
  /** Starts sending stored and later events. */
  start(): Promise<void>
  /** Stops sending; requests in flight finish and settle. It can be started again. */
  stop(): Promise<void>
  /** Number of events that are not settled. */
  left(): Promise<number>
  /**
   * Stores one event as durably as the contender does; it is sent if the contender was started. Returns its
   * `webhook-id`.
   */
  publish(index: number): Promise<string>
  close(): Promise<void>
}

/** Each file in contenders/ exports this as `open`. */
export type Open = (setup: Setup) => Promise<Contender>
