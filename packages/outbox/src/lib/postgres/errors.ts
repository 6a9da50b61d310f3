import { OutboxError } from '../errors.ts'

/**
 * How far a transaction was when the error arrived, which decides what the error can mean.
 *
 * - `connecting`: nothing was sent.
 * - `open`: inside a transaction whose COMMIT was not sent. Nothing is committed.
 * - `committing`: COMMIT, or a statement that is a transaction of its own, was sent. If the response is lost, it is
 *   unknown whether it committed.
 */
export type Phase = 'connecting' | 'open' | 'committing'

// SQLSTATEs with which a running server says that it did not do it: serialization failure, deadlock; read-only (a
// standby after a failover); lock or statement time-out; resources, system errors, corruption; connection refused.
const REFUSED = /^(40001|40P01|25006|25P03|55P03|57014|57P03|57P04|57P05|53...|58...|XX00[12]|28...|3D000|08001|08004)$/

// The connection ended: an administrator or a crash ended it, or it broke.
const CONNECTION_ENDED = /^(57P01|57P02|08...|40003)$/

// Error codes of the drivers, and of Node below them.
const DRIVER_LOST = /^(E[A-Z_]+|CONNECTION_[A-Z]+|CONNECT_TIMEOUT)$/
const NEVER_CONNECTED = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|CONNECT_TIMEOUT)$/
const PG_LOST = /connection (terminated|error)|client was closed|not queryable|read timeout|timeout (expired|exceeded)/i

/**
 * Maps a refusal of the server or a lost connection to an {@link OutboxError}; a broken constraint or a wrong statement
 * stays as it is.
 */
export function asRefusal(error: unknown, phase: Phase): unknown {
  if (!(error instanceof Error) || error instanceof OutboxError) return error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code === '42P01' && /pending_events|keepsend_/.test(error.message)) {
    return new OutboxError('not_migrated', `${error.message}: run migrate(db) before anything else`, { cause: error })
  }
  const refused = REFUSED.test(code) || NEVER_CONNECTED.test(code) || phase === 'connecting'
  if (!refused && !isLost(error)) return error
  if (refused || phase === 'open') {
    return new OutboxError('not_accepted', `not accepted, nothing was committed: ${code} ${error.message}`, {
      cause: error,
    })
  }
  return new OutboxError(
    'commit_unconfirmed',
    `the connection ended before the server responded, the write may have been committed: ${code} ${error.message}`,
    { cause: error },
  )
}

/** Whether the connection that the error came from is unusable. */
export function isLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return CONNECTION_ENDED.test(code) || DRIVER_LOST.test(code) || (code === '' && PG_LOST.test(error.message))
}

/** Whether to close the connection after the error: it is lost, or its server has become a standby. */
export function isUseless(error: unknown): boolean {
  return isLost(error) || (error instanceof Error && 'code' in error && error.code === '25006')
}
