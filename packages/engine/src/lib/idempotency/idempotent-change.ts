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

/** A change that is made once, whose answer is read from what it left. */
export interface IdempotentChange {
  /** To be called first: a second commit of the same request stops here, before it writes anything. */
  begin(transaction: Transaction): void
  /**
   * To be called behind the change. `answer` selects one text of what it left; where it selects none, the whole transaction
   * is refused. It must hold no secret.
   */
  end(transaction: Transaction, answer: SqlText): void
  /** Adds the change, a statement that returns ids; the answer is how many. */
  endCounted(transaction: Transaction, change: SqlText): void
  /** After the commit: what was selected. */
  readonly answer: string
}

/** How a change joins what was selected of it: by the option `once` of the methods that the routes call. */
export interface IdempotentOption {
  once?: IdempotentChange | undefined
}

/** What was made now; or the answer of an earlier commit of the same request, and nothing was made. */
export type IdempotentResult<T> = { made: T; stored?: undefined } | { made?: undefined; stored: StoredAnswer }

/** What a change is made once with. */
export interface IdempotentDeps {
  readonly db: OutboxDatabase
  readonly logger: Logger
  readonly idempotencyRecords: RowCeiling
}

/**
 * Makes a change that {@link recordStatement} commits with, unless the request was committed before. Never repeated by
 * us: after an error the record decides whether the commit took place.
 *
 * @param make is given no key where the request has none
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

export function createIdempotentChange({ dialect }: OutboxDatabase, key: HashedKey): IdempotentChange {
  let answered: { rows: { body: string }[] } | undefined
  const answer = (transaction: Transaction, selected: SqlText, change = raw('')): void => {
    answered = transaction.add<{ body: string }>(sqlText`
      ${change} update keepsend_idempotency_records set body = cast((${selected}) as text) where ${inScope(key)}
      returning body`)
  }
  return {
    begin(transaction) {
      // What its answer is stands below, in the same transaction; how it is shown is its route's to say.
      transaction.add(recordStatement(key, { status: 0, body: '' }))
      transaction.add(unmarkStatement(key))
    },
    end: answer,
    endCounted(transaction, change) {
      if (dialect.name === 'postgres') {
        answer(transaction, raw('select count(*) from made'), sqlText`with made as (${change})`)
        return
      }
      transaction.add(change)
      answer(transaction, raw('changes()'))
    },
    get answer() {
      return answered?.rows[0]?.body ?? ''
    },
  }
}

/** Named values of a row as one JSON text; {@link readRow} reads them. */
export function jsonRow({ dialect }: Pick<OutboxDatabase, 'dialect'>, names: readonly string[]): SqlText {
  const array = dialect.name === 'sqlite' ? 'json_array' : 'json_build_array'
  return raw(`${array}(${names.map((name) => `"${name}"`).join(', ')})`)
}

export function readRow(names: readonly string[], answer: string): Record<string, unknown> {
  const values = JSON.parse(answer) as unknown[]
  return Object.fromEntries(names.map((name, index) => [name, values[index]]))
}

/** A mark alone authorises nothing: whatever became of it, nothing was committed. */
async function begin(deps: Omit<IdempotentDeps, 'logger'>, key: HashedKey): Promise<StoredAnswer | undefined> {
  try {
    return await beginIdempotent(deps, key)
  } catch (error) {
    if (!(error instanceof OutboxError) || error.code !== 'commit_unconfirmed') throw asEngineError(error)
    throw new EngineError('not_accepted', `not accepted, nothing was committed: ${error.message}`, {
      cause: error,
      retryAfterSeconds: 1,
    })
  }
}

// Either another commit of the same request was first, or our own took place and its answer was lost on the way.
async function answerAfterError(db: OutboxDatabase, key: HashedKey, logger: Logger): Promise<StoredAnswer | undefined> {
  // Whatever the record says, this request's mark has nothing more to keep away.
  await db.run(unmarkStatement(key)).catch((error: unknown) => {
    logger.warn(errorFields(error), 'an idempotency mark stays until it expires')
  })
  return readAnswer(db, key).catch((error: unknown) => {
    if (error instanceof EngineError) throw error
    logger.warn(errorFields(error), 'the idempotency record could not be read after a failed commit')
    return undefined
  })
}
