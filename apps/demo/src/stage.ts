import type { Child } from './child.ts'
import type { Installation } from './installation.ts'

/** A platform of the story: how the app is started there, and with how much load. */
export interface Stage {
  /** Its description. */
  place: string
  /**
   * Starts the app on the folder, which is empty at first. Port `'0'` uses any free port and marks the first start: its `ready`
   * has the operator's API key, unless another process was first on the same database.
   */
  start(folder: string, port: string): Promise<Child>
  /** Processes of the app on one database. Requests are spread over them, and each kill hits one. @default 1 */
  processes?: number
  /** Tours through all routes; more, if the outage is not over by then. */
  tours: number
  kills: number
  /** When one of the endpoints starts to refuse requests. */
  failsFrom: 'start' | 'kill'
  /** Once, after the kills. */
  outage?: Outage
  /** Requests that must be unanswered at the receiver when the app is killed. */
  inFlight: number
  /** How long the remaining deliveries may take at the end, in ms. */
  drainMs: number
  /** Stands in for the platform's cron where nothing runs it locally. Its result is printed. */
  clock?: { everyMs: number; tick(url: string): Promise<string | undefined> }
  /** Runs after the comparison. Prints its results; returns whether all is well. */
  epilogue?(installation: Installation): Promise<boolean>
  /** Runs at the very end, also after an error: removes everything that the stage created outside the folder. */
  end?(): Promise<void>
}

/** The app's database fails and recovers. */
export interface Outage {
  /** A description of the failure. */
  what: string
  begin(): Promise<void>
  /** Resolves after the app has noticed. */
  end(): Promise<void>
}
