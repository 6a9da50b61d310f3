import type { PendingEvent } from '@keepsend/outbox'
import type Database from 'better-sqlite3'

interface RecordedAttempt {
  id: number
  deliveryId: string
  gen: number
  outcome: string
}

/**
 * Compares the recorded attempts with the changes of the rows: there is an attempt if, and only if, its settle stands. Problems
 * count those that failed.
 */
export class Attempts {
  readonly #select: Database.Statement
  readonly #problems: Database.Statement
  #lastId = 0
  #counted = 0

  constructor(connection: Database.Database) {
    this.#select = connection.prepare(
      `select id, delivery_id as "deliveryId", gen, outcome from keepsend_attempts where id > ? order by id`,
    )
    this.#problems = connection.prepare('select sum(attempts) from keepsend_problems').pluck()
  }

  /**
   * The first fault of one operation, which changed the rows from `before` to `after`.
   *
   * @param isRefused the database has refused this settle before, so it may lack its attempts
   */
  faultOf(
    before: ReadonlyMap<string, PendingEvent>,
    after: ReadonlyMap<string, PendingEvent>,
    isRefused: boolean,
  ): string | undefined {
    const recorded = this.#select.all(this.#lastId) as RecordedAttempt[]
    this.#lastId = recorded.at(-1)?.id ?? this.#lastId
    const failed = recorded.filter(({ outcome }) => outcome === 'retry' || outcome === 'failed')
    const counted = Number(this.#problems.get()) - this.#counted
    this.#counted += counted
    // A settle counts at most ten problems.
    if (failed.length <= 10 ? counted !== failed.length : counted > failed.length)
      return `problems count each failed attempt once: counted ${counted} of ${failed.length}`
    const claims = new Map(recorded.map((attempt) => [`${attempt.deliveryId}#${attempt.gen}`, attempt]))
    if (claims.size < recorded.length) return 'one attempt for a claim: it was recorded twice'
    const ends = new Map([...claims].filter(([, { outcome }]) => outcome !== 'superseded'))
    for (const [claim, { deliveryId, gen }] of claims) {
      const was = before.get(deliveryId)
      if (!ends.has(claim) && was?.gen === gen && was.status === 'pending')
        return `a superseded attempt only of a lost claim: ${claim} was current`
    }
    for (const [claim, { deliveryId, gen }] of ends) {
      const was = before.get(deliveryId)
      if (was?.gen !== gen || was.status !== 'pending')
        return `an attempt only with its settle: ${claim} was not current`
      const is = after.get(deliveryId)
      if (is?.gen === gen && is.status === 'pending') return `an attempt only with its settle: ${claim} is not settled`
    }
    for (const was of before.values()) {
      const is = after.get(was.id)
      const isDelivered = was.status === 'pending' && !is
      const recordedEnd = ends.get(`${was.id}#${was.gen}`)?.outcome
      const mayLackIt = isRefused && recordedEnd === undefined
      if (isDelivered && recordedEnd !== 'delivered' && !mayLackIt)
        return `a settle only with its attempt: ${was.id}#${was.gen} was delivered, and no attempt says so`
    }
    return undefined
  }
}
