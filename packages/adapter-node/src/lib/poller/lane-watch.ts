import {
  type Claim,
  type LaneRef,
  type LaneShare,
  type OutboxDatabase,
  lineUpDueEvents,
  lookAtLanes,
} from '@keepsend/outbox'
import { LaneBacklog } from './lane-backlog.ts'
import type { InFlight } from './in-flight.ts'
import type { PollTrigger } from './poll-trigger.ts'

/** The rows that the next claim takes. */
export interface Choice {
  lanes: readonly LaneShare[]
  /** Rows that are due and not yet ready in a lane. */
  due: number
}

/**
 * How often, while attempts run, lanes are checked for silence and the database for other rows: on a database without
 * commit signals, rows of another process start within this.
 */
export const WATCH_MS = 25
/**
 * The same on a database with commit signals, for rows that were not announced. A look costs 2 ms on Postgres beside
 * thousands of rows that were just deleted; every 25 ms it took a tenth of a drain.
 */
const WATCH_NOTIFIED_MS = 250
// Looks in one poll round at most; the next round continues.
const MAX_LOOKS = 4

/** Decides when to look at the lanes, and what the next claim takes. */
export class LaneWatch {
  readonly #db: OutboxDatabase
  readonly #inFlight: InFlight
  readonly #trigger: PollTrigger
  readonly #backlog: LaneBacklog
  /** A lane was named that is to be claimed from immediately. */
  #claimSoon = false
  /** The last look: its time, and the trigger count that it saw. */
  #looked = { at: -Infinity, count: -1 }
  /** Due rows that are not ready in a lane, as of the last look: `backlog` if a claim of some left more. */
  #due: 'none' | 'some' | 'backlog' = 'none'

  constructor(db: OutboxDatabase, inFlight: InFlight, trigger: PollTrigger) {
    this.#db = db
    this.#inFlight = inFlight
    this.#trigger = trigger
    this.#backlog = new LaneBacklog(inFlight.lanes)
  }

  /** This lane has rows: claim them immediately. */
  claimSoon(lane: LaneRef): void {
    this.#backlog.hint(lane)
    this.#claimSoon = true
  }

  /** Names the lanes in which the settle of the finished claims makes rows due. Returns whether there are any. */
  hintRefilled(): boolean {
    const refilled = this.#inFlight.finished.filter(
      ({ outcome }) => outcome.kind === 'release' || outcome.attempt?.mayRefill,
    )
    for (const { inFlight } of refilled) this.#backlog.hint(inFlight.lane)
    return refilled.length > 0
  }

  /** A publish or a trigger came since the last choice. */
  get hasNews(): boolean {
    return this.#claimSoon || this.#looked.count !== this.#trigger.count
  }

  /** A look is due: after a trigger, and periodically while attempts run. */
  get isDue(): boolean {
    if (this.#looked.count !== this.#trigger.count) return true
    const watchMs = this.#trigger.seesOtherCommits ? WATCH_NOTIFIED_MS : WATCH_MS
    return this.#inFlight.running > 0 && performance.now() - this.#looked.at >= watchMs
  }

  /** Chooses from the known lanes, and looks for more while there is room for more rows. */
  async choose(): Promise<Choice> {
    this.#claimSoon = false
    const { room } = this.#inFlight
    let lanes = this.#backlog.allot(room)
    for (let looks = 0; looks < MAX_LOOKS; looks++) {
      const isForced = looks === 0 && (this.isDue || this.#backlog.isPaged)
      const isShort = lanes.length === 0 || sumOf(lanes) * 2 < room.rows
      if (!isForced && !(isShort && (this.#backlog.isPartial || this.#due === 'backlog'))) break
      await this.#look()
      lanes = this.#backlog.allot(this.#inFlight.room)
    }
    return { lanes, due: this.#due === 'some' ? this.#inFlight.roomForDue : 0 }
  }

  /** Records the result of the claim. Returns whether there may be more rows. */
  took({ lanes, due }: Choice, claims: readonly Claim[], exhausted: number): boolean {
    this.#backlog.took(lanes, claims, exhausted)
    const found = claims.length + exhausted
    // Other processes claimed first, or the claim was skipped because the group's commit was refused: look again soon.
    if (found === 0) this.#trigger.alsoDue(WATCH_MS)
    else if (due > 0) this.#trigger.kick()
    return found > 0
  }

  async #look(): Promise<void> {
    const { count } = this.#trigger
    // A few due rows are claimed directly. A backlog is moved into the lanes, so that it delays no other workspace.
    const isBacklog = this.#due === 'backlog' || (this.#due === 'some' && this.#inFlight.roomForDue === 0)
    if (isBacklog) await lineUpDueEvents(this.#db)
    const look = await lookAtLanes(this.#db, this.#backlog.nextLook)
    this.#backlog.looked(look)
    const inMs = look.dueAt === null ? Infinity : look.dueAt - look.now
    if (inMs > 0) this.#due = 'none'
    else this.#due = this.#due === 'none' ? 'some' : 'backlog'
    this.#looked = { at: performance.now(), count }
    this.#trigger.setDue(inMs > 0 ? inMs : Infinity)
  }
}

function sumOf(shares: readonly LaneShare[]): number {
  return shares.reduce((sum, { count }) => sum + count, 0)
}
