import type { ClaimRef, PendingEvent, TakenEvent } from '@keepsend/outbox'
import { EXPIRED, eventIdOf, pendingEvents } from '@keepsend/outbox/internal'
import type Database from 'better-sqlite3'
import { faultOfRow } from '../model/invariants.ts'
import type { Publication } from './context.ts'
import { Attempts } from './attempts.ts'
import { noCounts } from './counts.ts'
import { type Life, isClaimOf, isPaused, isSame, lifeOf } from './life.ts'
import type { KnownEndpoint } from './template.ts'
import type { VirtualTime } from './virtual-time.ts'

/** An operation of the database: its process, and the claims that it settles. */
export interface Operation {
  by: object
  /** The claims of a settle. */
  settling?: readonly (ClaimRef | TakenEvent)[] | undefined
  /** See {@link Context.isRefused}. */
  isRefused?: boolean | undefined
  publishing?: Publication | undefined
  replay?: boolean | undefined
}

// More moves than any row of a story makes.
const MOST_MOVES = 1000

/**
 * The true history, seen from outside Keepsend: every change of every row, and all requests to the receiver. It stores
 * the first rule that was broken. A row that was deleted and is inserted again has another life, and each life is
 * checked against its own requests and responses.
 */
export class Ledger {
  broken: string | undefined
  readonly #select: Database.Statement
  readonly #attempts: Attempts
  #rows = new Map<string, PendingEvent>()
  /** The process that took the row last. */
  readonly #takers = new Map<string, object>()
  /** The lives of each row that was ever committed. */
  readonly #lives = new Map<string, Life[]>()
  /** Lives that the receiver has accepted or refused, and those that a caller was told are committed. */
  readonly #accepted = new Set<string>()
  readonly #refused = new Set<string>()
  readonly #acknowledged = new Set<string>()
  readonly #refusals = new Set<Publication>()
  readonly #sent = new Set<string>()
  readonly counts = noCounts()
  readonly #time: VirtualTime
  readonly #maxAgeMs: number

  /** @param maxAgeMs maximum age of a delivery */
  constructor(connection: Database.Database, time: VirtualTime, maxAgeMs: number) {
    this.#time = time
    this.#maxAgeMs = maxAgeMs
    this.#attempts = new Attempts(connection)
    this.#select = connection.prepare(`select ${pendingEvents.all.sql} from pending_events order by id`)
  }

  get rows(): readonly PendingEvent[] {
    return [...this.#rows.values()]
  }

  /** Whether the event was committed, and one of its rows is gone. */
  hasLostRows(eventId: string): boolean {
    return [...this.#lives.keys()].some((id) => eventIdOf(id) === eventId && !this.#rows.has(id))
  }

  /** Whether the row of this claim is gone. */
  isOver({ id }: ClaimRef): boolean {
    return !this.#rows.has(id)
  }

  /**
   * Whether the row, inserted at that time, could reach a `gen` of an earlier life. `gen` begins at the clock, so this
   * needs a clock that has advanced by fewer milliseconds than the row has made moves, or was set back.
   */
  mayRepeatAGen(id: string, now: number): boolean {
    const lives = this.#rows.has(id) ? [] : (this.#lives.get(id) ?? [])
    return lives.some(({ createdAt, lastGen }) => now > createdAt - MOST_MOVES && now <= Math.max(lastGen, createdAt))
  }

  /** A caller was told that these rows are committed. */
  acknowledge({ owed, standing, workspaceId }: Publication): void {
    for (const id of owed) {
      const life = standing.get(id)
      if (life === undefined) this.#break(`never lost: ${id} was acknowledged, and its row was never committed`)
      else if (!this.#acknowledged.has(life)) {
        this.#acknowledged.add(life)
        this.counts[`deliveries acknowledged in workspace ${workspaceId}`]++
      }
    }
  }

  /** A caller was told that these events are not committed. */
  refuse(publication: Publication): void {
    this.#refusals.add(publication)
    const [unexpected] = publication.inserted
    if (unexpected !== undefined) this.#break(`nothing unexpected: ${unexpected} was refused, and is committed`)
  }

  /** A worker begins to send. @param once: at most one attempt for each claim */
  send(claim: TakenEvent, { to, once }: { to: KnownEndpoint | undefined; once: boolean }): void {
    if (to?.workspaceId !== claim.workspaceId)
      this.#break(`its own workspace: ${claim.id} of ${claim.workspaceId} is sent to one of ${to?.workspaceId}`)
    const lives = this.#lives.get(claim.id) ?? []
    if (!lives.some(({ createdAt }) => createdAt === claim.createdAt))
      this.#break(`persist before send: ${claim.id} is sent, and no row of it was ever committed`)
    if (!once) return
    const name = `${lifeOf(claim)}#${claim.gen}`
    if (this.#sent.has(name)) this.#break(`one attempt for a claim: ${name} was sent twice`)
    this.#sent.add(name)
  }

  /** The receiver answers a request that was sent under this claim. */
  arrive(claim: TakenEvent, status: number): void {
    const life = lifeOf(claim)
    if (status >= 200 && status <= 299) {
      if (this.#accepted.has(life)) this.counts['accepted more than once']++
      this.#accepted.add(life)
    } else if (status === 400) this.#refused.add(life)
  }

  /** Checks the table after an operation. */
  observe(operation: Operation): void {
    const now = this.#time.timeOfDay
    const before = this.#rows
    const found = this.#select.all() as PendingEvent[]
    const after = new Map(found.map((row) => [row.id, row]))
    for (const row of found) {
      this.#break(faultOfRow(row, now, Infinity))
      const was = before.get(row.id)
      if (!was) this.#begin(row, operation.publishing)
      this.#note(row)
      if (row.claimedAt !== null && row.gen !== was?.gen) this.#takers.set(row.id, operation.by)
      if (row.status !== was?.status) this.#break(this.#faultOfEnd(row))
      if (isPaused(row) && !isPaused(was)) this.counts['rows held for a pause']++
      if (isPaused(was) && row.status === 'pending') this.counts['rows resumed after a pause']++
    }
    this.#break(this.#attempts.faultOf(before, after, operation.isRefused === true))
    for (const was of before.values()) {
      const is = after.get(was.id)
      if (!is && !this.#accepted.has(lifeOf(was)))
        this.#break(`never lost: ${was.id} is gone, and no receiver has accepted it`)
      if (!is || !isSame(was, is)) this.#break(this.#faultOfChange(was, is, operation, now))
    }
    this.#rows = after
    if (operation.publishing) operation.publishing.standing = this.#standing(operation.publishing)
  }

  #begin(row: PendingEvent, publishing: Publication | undefined): void {
    const life = lifeOf(row)
    if (!publishing?.owed.includes(row.id)) this.#break(`nothing unexpected: ${life} exists, but was not published`)
    else if (this.#refusals.has(publishing)) this.#break(`nothing unexpected: ${life} was refused, but exists`)
    else if (row.workspaceId !== publishing.workspaceId)
      this.#break(`its own workspace: ${life} of ${publishing.workspaceId} is in ${row.workspaceId}`)
    publishing?.inserted.push(life)
    const earlier = this.#lives.get(row.id) ?? []
    if (earlier.length > 0) this.counts['rows inserted again']++
    const begun = { createdAt: row.createdAt, lastGen: row.gen, since: this.#time.monotonic }
    this.#lives.set(row.id, [...earlier, begun])
  }

  #note({ id, gen }: PendingEvent): void {
    const life = this.#lives.get(id)?.at(-1)
    if (life) life.lastGen = gen
  }

  #standing({ owed }: Publication): ReadonlyMap<string, string> {
    return new Map(
      owed.flatMap((id): [string, string][] => {
        const row = this.#rows.get(id)
        return row ? [[id, lifeOf(row)]] : []
      }),
    )
  }

  /** Checks the end, once faults have stopped and time has passed. */
  settleUp(): void {
    const failed = new Set<string>()
    for (const row of this.#rows.values()) {
      const { id, status } = row
      if (status === 'failed') failed.add(lifeOf(row))
      if (status === 'pending' || status === 'held') this.#break(`everything settles: ${id} is still ${status}`)
    }
    for (const life of this.#acknowledged)
      if (!this.#accepted.has(life) && !failed.has(life))
        this.#break(`never lost: ${life} was acknowledged, and neither accepted nor ended as failed`)
  }

  break(rule: string): void {
    this.#break(rule)
  }

  #break(rule: string | undefined): void {
    this.broken ??= rule
  }

  #faultOfEnd(row: PendingEvent): string | undefined {
    const { id, status, attempts, maxAttempts } = row
    if (status !== 'failed' || attempts >= maxAttempts || this.#refused.has(lifeOf(row))) return undefined
    if (!row.lastError?.startsWith(EXPIRED))
      return `failed only if exhausted, refused or expired: ${id} had ${attempts} of ${maxAttempts}`
    this.counts.expired++
    return this.#isTooOld(row) ? undefined : `expired only when too old: ${id} had ${this.#maxAgeMs} ms`
  }

  /** By any clock that a worker or the database can have read since the row's age began. */
  #isTooOld({ id, createdAt, replayedAt }: PendingEvent): boolean {
    const since = this.#lives.get(id)?.at(-1)?.since ?? 0
    return this.#time.latestSince(since) - (replayedAt ?? createdAt) > this.#maxAgeMs
  }

  /** A replayed row needs a new response, and its age restarts. */
  #replayed(row: PendingEvent): void {
    for (const set of [this.#accepted, this.#refused]) set.delete(lifeOf(row))
    const life = this.#lives.get(row.id)?.at(-1)
    if (life) life.since = this.#time.monotonic
  }

  #faultOfChange(
    was: PendingEvent,
    is: PendingEvent | undefined,
    { by, settling = [], replay }: Operation,
    now: number,
  ): string | undefined {
    const name = `${was.id}#${was.gen}`
    if (is?.status === 'pending' && is.dueAt === null) return `dispatched only by its insert: ${name} became ${is.gen}`
    if (is && is.gen < was.gen) return `gen never goes down: ${name} became ${is.gen}`
    if (was.status === 'failed') {
      const replayed = replay && is?.gen === was.gen + 1
      if (replayed) this.#replayed(was)
      return replayed ? undefined : `no terminal state left except by replay: ${name} had failed`
    }
    const linedUp = is?.ready === 1 && (was.ready === 0 || was.dueAt !== is.dueAt)
    if (linedUp && (is.dueAt ?? Infinity) > now) return `in line only once its time has come: ${name} is not due`
    // A row in line may go, even if the clock was set back since.
    const due = was.ready === 1 || (was.dueAt !== null && was.dueAt <= now)
    const leased = was.status === 'pending' && was.claimedAt !== null && !due
    if (leased && this.#takers.get(was.id) !== by)
      return `one owner: ${name} was changed under a live lease, by another worker`
    if (leased && is?.status === 'failed' && is.lastError === EXPIRED)
      return `one owner: ${name} expired under a live lease`
    // A settle may also resume held rows of its endpoint, claim them in the same commit, or hold unclaimed rows.
    const moved = is !== undefined && is.gen > was.gen && (was.status === 'held' || (is.status === 'held' && !leased))
    if (moved || (linedUp && is.gen === was.gen)) return undefined
    const claims = settling.filter(({ id }) => id === was.id)
    // The claim of the same commit may have taken a row whose settle was lost.
    const taken = due && is?.gen === was.gen + 1 && (is.claimedAt === now || is.status === 'failed')
    if (claims.length > 0 && !taken && !claims.some((claim) => isClaimOf(claim, was)))
      return `one owner: ${name} was settled under ${claims.map(({ gen }) => `gen ${gen}`).join()} of a claim that was lost`
    return undefined
  }
}
