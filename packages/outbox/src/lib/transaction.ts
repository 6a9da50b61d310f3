import type { OutboxDatabase } from './database.ts'
import type { Row, SqlResult, Statement } from './statement.ts'

/**
 * Statements that commit together. Where order matters, it is the order of {@link part}s, declared before any of them
 * is filled. The result of a statement is read from the handle that {@link add} returned, never by position.
 *
 * @example
 * const transaction = new Transaction()
 * const inserted = transaction.add<{ id: string }>(sqlText`insert … returning id`)
 * await transaction.commit(db)
 * inserted.rows
 */
export class Transaction {
  readonly #items: (Transaction | Added)[] = []

  /** Whether it has no statements. */
  get isEmpty(): boolean {
    return this.#items.every((item) => item instanceof Transaction && item.isEmpty)
  }

  /** Appends a statement. The result in the handle can be read after the commit. */
  add<R extends object = Row>(statement: Statement): SqlResult<R> {
    const added = new Added(statement)
    this.#items.push(added)
    return added as SqlResult<R>
  }

  addAll(statements: readonly Statement[]): void {
    for (const statement of statements) this.add(statement)
  }

  /** Reserves a place in the order, for statements that are added later. */
  part(): Transaction {
    const part = new Transaction()
    this.#items.push(part)
    return part
  }

  /** Commits all statements or, when it rejects, none; see {@link OutboxDatabase.atomic}. */
  async commit(db: OutboxDatabase): Promise<void> {
    const added = this.#flat([])
    const results = await db.atomic(added.map(({ statement }) => statement))
    added.forEach((one, index) => (one.result = results[index]))
  }

  #flat(into: Added[]): Added[] {
    for (const item of this.#items) {
      if (item instanceof Added) into.push(item)
      else item.#flat(into)
    }
    return into
  }
}

/** A statement of a transaction, and its result once there is one. */
class Added implements SqlResult {
  readonly statement: Statement
  result: SqlResult | undefined

  constructor(statement: Statement) {
    this.statement = statement
  }

  get rows(): Row[] {
    return this.#committed().rows
  }

  get changes(): number {
    return this.#committed().changes
  }

  #committed(): SqlResult {
    if (!this.result) throw new Error("a statement's result was read before its transaction was committed")
    return this.result
  }
}
