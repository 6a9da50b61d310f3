import { type OutboxDatabase, OutboxError, type Transaction } from '@keepsend/outbox'
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import type { RowCeiling } from '../row-ceiling.ts'
import { EngineError, asEngineError } from '../errors.ts'
import {
  type HashedKey,
  type IdempotencyKey,
  type StoredAnswer,
  beginIdempotent,
  hashKey,
  inScope,
  readAnswer,
  recordStatement,
  unmarkStatement,
} from './idempotency.ts'
import { type Logger, errorFields } from '../logger.ts'

/** Makes a change only once per `Idempotency-Key`, and stores its answer in the same transaction. */
export interface IdempotentChange {
  /** Call it first: a second commit of the same request fails here, before it writes anything. */
  begin(transaction: Transaction): void
  /**
   * Call it after the change. `answer` selects one text, which is stored; if it selects nothing, the whole transaction is
   * refused. The text must not contain a secret.
   */
  end(transaction: Transaction, answer: SqlText): void
  /** After the commit: the stored text. */
  readonly answer: string
}

/** The option `once` of the methods that the routes call: makes the change only once. */
export interface IdempotentOption {
  once?: IdempotentChange | undefined
}

/** The result of this request's change, or the stored answer of an earlier one, in which case nothing was changed. */
export type IdempotentResult<T> = { made: T; stored?: undefined } | { made?: undefined; stored: StoredAnswer }

/** The parts of the engine that {@link makeIdempotent} uses. */
export interface IdempotentDeps {
  readonly db: OutboxDatabase
  readonly logger: Logger
  readonly idempotencyRecords: RowCeiling
}

/**
 * Makes a change whose transaction contains {@link recordStatement}, unless the request was committed before. Never retried
 * here: after an error the record decides whether the commit took place.
 *
 * @param make gets no key if the request has none
 */
export async function makeIdempotent<T>(
  { db, logger, idempotencyRecords }: IdempotentDeps,
  idempotencyKey: IdempotencyKey | undefined,
  make: (key: HashedKey | undefined) => Promise<T>,
): Promise<IdempotentResult<T>> {
  const key = idempotencyKey && (await hashKey(idempotencyKey))
  const stored = key && (await begin({ db, idempotencyRecords }, key))
  if (stored) return { stored }
  try {
    const made = await make(key)
    if (key) idempotencyRecords.added(key.scope[0], 1)
    return { made }
  } catch (error) {
    const earlier = key && (await answerAfterError(db, key, logger))
    if (earlier) return { stored: earlier }
    throw asEngineError(error)
  }
}

export function createIdempotentChange(key: HashedKey): IdempotentChange {
  let answered: { rows: { body: string }[] } | undefined
  return {
    begin(transaction) {
      // A placeholder: the statement below sets the body in the same transaction, and the route knows the status.
      transaction.add(recordStatement(key, { status: 0, body: '' }))
      transaction.add(unmarkStatement(key))
    },
    end(transaction, selected) {
      answered = transaction.add<{ body: string }>(sqlText`
        update keepsend_idempotency_records set body = cast((${selected}) as text) where ${inScope(key)}
        returning body`)
    },
    get answer() {
      return answered?.rows[0]?.body ?? ''
    },
  }
}

/** The named columns of a row as one JSON text, for {@link readRow}. */
export function jsonRow({ dialect }: Pick<OutboxDatabase, 'dialect'>, names: readonly string[]): SqlText {
  const array = dialect.name === 'sqlite' ? 'json_array' : 'json_build_array'
  return raw(`${array}(${names.map((name) => `"${name}"`).join(', ')})`)
}

export function readRow(names: readonly string[], answer: string): Record<string, unknown> {
  const values = JSON.parse(answer) as unknown[]
  return Object.fromEntries(names.map((name, index) => [name, values[index]]))
}

/** A lost answer while the mark is set means `not_accepted`: a mark alone commits nothing. */
async function begin(deps: Omit<IdempotentDeps, 'logger'>, key: HashedKey): Promise<StoredAnswer | undefined> {
  try {
    return await beginIdempotent(deps, key)
  } catch (error) {
    if (!(error instanceof OutboxError) || error.code !== 'commit_unconfirmed') throw asEngineError(error)
    throw new EngineError('not_accepted', `nothing was committed: ${error.message}`, {
      cause: error,
      retryAfterSeconds: 1,
    })
  }
}

// After an error, either another commit of the same request was first, or this one took place and its answer was lost.
async function answerAfterError(db: OutboxDatabase, key: HashedKey, logger: Logger): Promise<StoredAnswer | undefined> {
  // In every case this request is over, so its mark must not block a repeat.
  await db.run(unmarkStatement(key)).catch((error: unknown) => {
    logger.warn(errorFields(error), 'failed to delete an idempotency mark; it expires within 5 seconds')
  })
  return readAnswer(db, key).catch((error: unknown) => {
    if (error instanceof EngineError) throw error
    logger.warn(
      errorFields(error),
      'failed to read the idempotency record after a failed commit; the error is returned',
    )
    return undefined
  })
}
