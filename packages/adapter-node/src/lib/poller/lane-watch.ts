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

/** What the next claim takes. */
export interface Choice {
  lanes: readonly LaneShare[]
  /** Rows whose time has come and that are not in line. */
  due: number
}

/**
 * While attempts run, how often it is seen whether an endpoint has fallen silent, and whether others have rows in line:
 * what another process published on a database that tells of nothing begins within this.
 */
export const WATCH_MS = 25
/**
 * The same look on a database that tells of others' commits: for what nobody told. On Postgres it costs 2 ms beside
 * thousands of rows that were just deleted, which was a tenth of a drain.
 */
const WATCH_TOLD_MS = 250
// Looks in a row that show too little: so far round in one turn, and on with the next.
const MAX_LOOKS = 4

/** Decides when to look at the lanes, and what the next claim takes. */
export class LaneWatch {
  readonly #db: OutboxDatabase
  readonly #slots: InFlight
  readonly #wake: PollTrigger
  readonly #line: LaneBacklog
  /** Rows of which it was told stand in line. */
  #isTold = false
  /** The last look: when, and for which wake-up. */
  #looked = { at: -Infinity, count: -1 }
  /** Rows whose time has come and that are not in line, as of the last look; a backlog if some were claimed and more are. */
  #due: 'none' | 'some' | 'backlog' = 'none'

  constructor(db: OutboxDatabase, slots: InFlight, wake: PollTrigger) {
    this.#db = db
    this.#slots = slots
    this.#wake = wake
    this.#line = new LaneBacklog(slots.lanes)
  }

  /** There are rows in this lane, to be claimed at once. */
  tell(lane: LaneRef): void {
    this.#line.hint(lane)
    this.#isTold = true
  }

  /** There may be rows in this lane, for a claim to come. */
  hint(lane: LaneRef): void {
    this.#line.hint(lane)
  }

  /** Something was published, or woke the poller, since the last choice. */
  get hasNews(): boolean {
    return this.#isTold || this.#looked.count !== this.#wake.count
  }

  /** A look is due: after a wake-up, and from time to time while attempts run. */
  get isDue(): boolean {
    if (this.#looked.count !== this.#wake.count) return true
    const watchMs = this.#wake.hearsOthers ? WATCH_TOLD_MS : WATCH_MS
    return this.#slots.running > 0 && performance.now() - this.#looked.at >= watchMs
  }

  /** From the lanes that are known, and while there is room for more, from those that looks show. */
  async choose(): Promise<Choice> {
    this.#isTold = false
    const { room } = this.#slots
    let lanes = this.#line.allot(room)
    for (let looks = 0; looks < MAX_LOOKS; looks++) {
      const isAsked = looks === 0 && (this.isDue || this.#line.isRound)
      const isShort = lanes.length === 0 || sumOf(lanes) * 2 < room.rows
      if (!isAsked && !(isShort && (this.#line.isPartial || this.#due === 'backlog'))) break
      await this.#look()
      lanes = this.#line.allot(this.#slots.room)
    }
    return { lanes, due: this.#due === 'some' ? this.#slots.roomForDue : 0 }
  }

  /** What the claim found. Says whether there may be more. */
  took({ lanes, due }: Choice, claims: readonly Claim[], dead: number): boolean {
    this.#line.took(lanes, claims, dead)
    const found = claims.length + dead
    // Others were quicker, or the claim was left out because the database refused the group: seen by a look soon.
    if (found === 0) this.#wake.alsoDue(WATCH_MS)
    else if (due > 0) this.#wake.kick()
    return found > 0
  }

  async #look(): Promise<void> {
    const { count } = this.#wake
    // A few are claimed where they are. A backlog of them goes in line, so that it stands before no other workspace.
    const isBacklog = this.#due === 'backlog' || (this.#due === 'some' && this.#slots.roomForDue === 0)
    if (isBacklog) await lineUpDueEvents(this.#db)
    const look = await lookAtLanes(this.#db, this.#line.nextLook)
    this.#line.looked(look)
    const inMs = look.dueAt === null ? Infinity : look.dueAt - look.now
    if (inMs > 0) this.#due = 'none'
    else this.#due = this.#due === 'none' ? 'some' : 'backlog'
    this.#looked = { at: performance.now(), count }
    this.#wake.setDue(inMs > 0 ? inMs : Infinity)
  }
}

function sumOf(shares: readonly LaneShare[]): number {
  return shares.reduce((sum, { count }) => sum + count, 0)
}
