import { type PendingEvent, ROW_COLUMNS, eventIdOf } from '@keepsend/outbox'
import type Database from 'better-sqlite3'
import { faultOfRow } from '../model/invariants.ts'

/** What an operation of the database was: by whom, and what it was asked to settle. */
export interface Operation {
  by: object
  /** The claims that a settle shows. */
  settling?: readonly { id: string; gen: number }[] | undefined
  replay?: boolean | undefined
}

/**
 * What really happened, seen from outside the product: every change of every row, and all that the receiver was sent.
 * It keeps the first rule that was broken.
 */
export class Ledger {
  broken: string | undefined
  readonly #select: Database.Statement
  #rows = new Map<string, PendingEvent>()
  /** Who took the row last. */
  readonly #takers = new Map<string, object>()
  /** Deliveries whose rows were committed at any time, and those that the receiver has answered in either way. */
  readonly #committed = new Set<string>()
  readonly #accepted = new Set<string>()
  readonly #refused = new Set<string>()
  readonly #refusedEvents = new Set<string>()
  readonly #sent = new Set<string>()
  readonly #acknowledged = new Set<string>()
  #duplicates = 0

  constructor(connection: Database.Database) {
    this.#select = connection.prepare(`select ${ROW_COLUMNS} from pending_events order by id`)
  }

  get acknowledged(): number {
    return this.#acknowledged.size
  }

  /** Arrivals of what the receiver had accepted before. */
  get duplicates(): number {
    return this.#duplicates
  }

  get rows(): readonly PendingEvent[] {
    return [...this.#rows.values()]
  }

  /** A caller was told that these are kept. */
  acknowledge(ids: readonly string[]): void {
    for (const id of ids) {
      this.#acknowledged.add(id)
      if (!this.#committed.has(id)) this.#break(`never lost: ${id} was acknowledged, and its row was never committed`)
    }
  }

  /** A caller was told that these events are not kept. */
  refuse(eventIds: readonly string[]): void {
    for (const id of eventIds) this.#refusedEvents.add(id)
    const unexpected = [...this.#committed].find((id) => this.#refusedEvents.has(eventIdOf(id)))
    if (unexpected !== undefined) this.#break(`nothing unexpected: ${unexpected} was refused, and is committed`)
  }

  /** A worker begins to send. @param claim under which it may do so once; undefined where a message may come twice */
  send(id: string, claim: string | undefined): void {
    if (!this.#committed.has(id)) this.#break(`persist before send: ${id} is sent, and no row of it was ever committed`)
    if (claim === undefined) return
    if (this.#sent.has(claim)) this.#break(`one attempt for a claim: ${claim} was sent twice`)
    this.#sent.add(claim)
  }

  /** The receiver answers. */
  arrive(id: string, status: number): void {
    if (status >= 200 && status <= 299) {
      if (this.#accepted.has(id)) this.#duplicates++
      this.#accepted.add(id)
    } else if (status === 400) this.#refused.add(id)
  }

  /** Looks at the table after an operation; `now` is the database's time of it. */
  observe({ by, settling = [], replay = false }: Operation, now: number): void {
    const before = this.#rows
    const found = this.#select.all() as PendingEvent[]
    const after = new Map(found.map((row) => [row.id, row]))
    for (const row of found) {
      this.#break(faultOfRow(row, now, Infinity))
      this.#committed.add(row.id)
      if (this.#refusedEvents.has(row.id)) this.#break(`nothing unexpected: ${row.id} was refused, and stands there`)
      const was = before.get(row.id)
      if (row.claimedAt !== null && row.gen !== was?.gen) this.#takers.set(row.id, by)
      if (row.status !== was?.status) this.#break(this.#faultOfEnd(row))
    }
    for (const was of before.values()) {
      const is = after.get(was.id)
      if (!is && !this.#accepted.has(was.id)) this.#break(`never lost: ${was.id} is gone, and nobody has accepted it`)
      if (!is || !isSame(was, is)) this.#break(this.#faultOfChange(was, is, { by, settling, replay }, now))
    }
    this.#rows = after
  }

  /** Once faults have stopped and time has passed. */
  settleUp(): void {
    for (const { id, status } of this.#rows.values())
      if (status === 'pending' || status === 'held') this.#break(`everything settles: ${id} is still ${status}`)
    for (const id of this.#acknowledged)
      if (!this.#accepted.has(id) && this.#rows.get(id)?.status !== 'failed')
        this.#break(`never lost: ${id} was acknowledged, and neither accepted nor ended as failed`)
  }

  break(rule: string): void {
    this.#break(rule)
  }

  #break(rule: string | undefined): void {
    this.broken ??= rule
  }

  #faultOfEnd({ id, status, attempts, maxAttempts }: PendingEvent): string | undefined {
    if (status === 'completed' && !this.#accepted.has(id)) return `completed only with a 2xx: ${id} had none`
    if (status === 'failed' && attempts < maxAttempts && !this.#refused.has(id))
      return `failed only with its attempts used up, or refused: ${id} had ${attempts} of ${maxAttempts}`
    return undefined
  }

  #faultOfChange(
    was: PendingEvent,
    is: PendingEvent | undefined,
    { by, settling, replay }: { by: object; settling: readonly { id: string; gen: number }[]; replay: boolean },
    now: number,
  ): string | undefined {
    const name = `${was.id}#${was.gen}`
    if (is && is.gen < was.gen) return `gen never goes down: ${name} became ${is.gen}`
    if (was.status === 'completed' || was.status === 'failed') {
      const replayed = replay && is?.gen === was.gen + 1
      if (replayed) for (const set of [this.#accepted, this.#refused]) set.delete(was.id)
      return replayed ? undefined : `no terminal state left except by replay: ${name} was ${was.status}`
    }
    const due = was.dueAt !== null && was.dueAt <= now
    const leased = was.status === 'pending' && was.claimedAt !== null && !due
    if (leased && this.#takers.get(was.id) !== by) return `one owner: ${name} changed under a live lease, by another`
    // Whoever settles for an endpoint may let out what is held for it, claim it at once, or put aside what nobody holds.
    const moved = is !== undefined && is.gen > was.gen && (was.status === 'held' || (is.status === 'held' && !leased))
    if (moved) return undefined
    const claims = settling.filter(({ id }) => id === was.id)
    // The claim of the same commit may have taken what a lost settle left alone.
    const taken = due && is?.gen === was.gen + 1 && (is.claimedAt === now || is.status === 'failed')
    if (claims.length > 0 && !taken && !claims.some(({ gen }) => gen === was.gen))
      return `one owner: ${name} was settled under gen ${claims.map(({ gen }) => gen).join()}`
    return undefined
  }
}

function isSame(one: PendingEvent, other: PendingEvent): boolean {
  return (
    one.gen === other.gen &&
    one.status === other.status &&
    one.attempts === other.attempts &&
    one.deferrals === other.deferrals &&
    one.crashes === other.crashes &&
    one.dueAt === other.dueAt &&
    one.claimedAt === other.claimedAt &&
    one.holdReason === other.holdReason &&
    one.lastError === other.lastError
  )
}
