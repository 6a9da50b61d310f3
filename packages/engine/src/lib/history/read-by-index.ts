import { type OutboxDatabase, type SqlResult, Transaction } from '@keepsend/outbox'
import type { SqlText } from '@keepsend/outbox/internal'

/** Runs a statement whose every range is in the order of an index, so that it reads no more than it asks for. */
export async function readByIndex<R extends object>(db: OutboxDatabase, statement: SqlText): Promise<SqlResult<R>> {
  const { followsIndexes } = db.dialect
  if (!followsIndexes) return db.run<R>(statement)
  const transaction = new Transaction()
  transaction.add(followsIndexes)
  const read = transaction.add<R>(statement)
  await transaction.commit(db)
  return read
}
