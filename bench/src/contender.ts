/** What a contender is given. */
export interface Setup {
  /** Where it keeps its events: a folder, or the URL of a Postgres or Redis. Empty when it is opened. */
  place: string
  /** Where it sends them. */
  receiver: string
  /** Requests at once, in this process. */
  concurrency: number
  /** Endpoints that what is seeded is spread over, for a contender that has endpoints. @default 1 */
  endpoints?: number | undefined
  /** How large each event is, for a contender that is asked for more than one size. @default 500 */
  payloadBytes?: number | undefined
  /** Further arguments of its own: see the files in contenders/. */
  flavour: string
}

/**
 * A way to keep events and send them as signed POSTs, in one process. Several processes may hold one on the same place;
 * the first was opened alone, and made what the others find.
 */
export interface Contender {
  /** Keeps so many events, for `start` to find. */
  seed(events: number): Promise<void>
  /** Begins to send what is kept, and what will be. */
  start(): Promise<void>
  /** Sends no more; what is under way is finished and settled. It can be started again. */
  stop(): Promise<void>
  /** Events that are kept and not settled. */
  left(): Promise<number>
  /** Keeps one event as durably as the contender does; it is sent if the contender was started. Its `webhook-id`. */
  publish(index: number): Promise<string>
  close(): Promise<void>
}

/** What each file in contenders/ exports as `open`. */
export type Open = (setup: Setup) => Promise<Contender>
