import type { OutboxDatabase } from './database.ts'
import type { Row, SqlResult, Statement } from './statement.ts'

/**
 * Statements that commit together. Where their order matters it is the order of {@link part}s, declared before any of
 * them is filled; what a statement came to is read from the handle that {@link add} returned, never by its position.
 *
 * @example
 * const transaction = new Transaction()
 * const inserted = transaction.add<{ id: string }>(sqlText`insert … returning id`)
 * await transaction.commit(db)
 * inserted.rows
 */
export class Transaction {
  readonly #items: (Transaction | Added)[] = []

  /** Nothing was added. */
  get isEmpty(): boolean {
    return this.#items.every((item) => item instanceof Transaction && item.isEmpty)
  }

  /** Adds a statement behind those that are there. The handle's result can be read once it is committed. */
  add<R extends object = Row>(statement: Statement): SqlResult<R> {
    const added = new Added(statement)
    this.#items.push(added)
    return added as SqlResult<R>
  }

  addAll(statements: readonly Statement[]): void {
    for (const statement of statements) this.add(statement)
  }

  /** A place in the order, for statements that are added later. */
  part(): Transaction {
    const part = new Transaction()
    this.#items.push(part)
    return part
  }

  /** Commits all of it or, when it rejects, nothing; see {@link OutboxDatabase.atomic}. */
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
    if (!this.result) throw new Error('the result of a statement was read before its transaction was committed')
    return this.result
  }
}
