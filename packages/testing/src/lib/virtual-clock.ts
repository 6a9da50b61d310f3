import { type OutboxDatabase, type Statement, toSql } from '@keepsend/outbox'
import { onlyRow, rowsAs, sqlText } from '@keepsend/outbox/internal'

// Where a statement reads from the view. Elsewhere it names a column of it (`keepsend_clock.ms`), and the subquery below has the
// same name, unless the statement gives it another.
const VIEW = /(?<=\b(?:from|join)\s+|,\s*)keepsend_clock\b(?!\.)(\s+as\b)?/gi

/** Time that stands still until somebody moves it. */
export class VirtualClock {
  #now: number
  #ticks = 0

  /** Begins at the database's time. */
  static async at(db: OutboxDatabase): Promise<VirtualClock> {
    const { rows } = await db.run<{ now: number }>(sqlText`select ms as "now" from keepsend_clock`)
    return new VirtualClock(onlyRow(rows).now)
  }

  private constructor(now: number) {
    this.#now = now
  }

  /** Milliseconds since the epoch. */
  get now(): number {
    return this.#now
  }

  /** For the engine's caches: differs from {@link now} by a second for each {@link tick}. */
  get monotonic(): number {
    return this.#now + this.#ticks * 1000
  }

  /** Moves time to this time, never back. */
  moveTo(ms: number): void {
    this.#now = Math.max(this.#now, Math.ceil(ms))
  }

  /** Lets the engine's caches expire, which read the database once a second. */
  tick(): void {
    this.#ticks++
  }
}

/**
 * The same database with the view `keepsend_clock` on a virtual clock. The statements are changed, not the view: nothing is
 * written, and other users of the database have their own time.
 */
export function onClock(db: OutboxDatabase, clock: VirtualClock): OutboxDatabase {
  const { name } = db.dialect
  const redirect = (statement: Statement): Statement => {
    const text = 'sql' in statement && typeof statement.sql === 'string' ? statement : toSql(statement, name)
    const time = `(select cast(${clock.now} as bigint) as ms)`
    const sql = text.sql.replace(VIEW, (_, alias?: string) => time + (alias ?? ' as keepsend_clock'))
    return sql === text.sql ? statement : { ...text, sql }
  }
  return {
    dialect: db.dialect,
    run: <R extends object>(statement: Statement) => rowsAs<R>(db.run(redirect(statement))),
    atomic: (statements) => db.atomic(statements.map(redirect)),
    ...(db.maintain && { maintain: () => db.maintain?.() ?? Promise.resolve() }),
    ...(db.scrub && { scrub: () => db.scrub?.() ?? Promise.resolve(true) }),
  }
}
