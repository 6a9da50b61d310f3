import { OutboxError } from '../errors.ts'
import { messageOf } from '../message-of.ts'

// better-sqlite3 has the name of the result code in `code`; node:sqlite has its number in `errcode`, the primary one
// in the lowest byte.
const NAMES: Readonly<Record<number, string>> = {
  5: 'SQLITE_BUSY',
  6: 'SQLITE_LOCKED',
  7: 'SQLITE_NOMEM',
  8: 'SQLITE_READONLY',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  15: 'SQLITE_PROTOCOL',
  26: 'SQLITE_NOTADB',
  // Only from a virtual table, such as the host's own full-text index.
  267: 'SQLITE_CORRUPT_VTAB',
}

const STORAGE_REFUSED = /^SQLITE_(FULL|IOERR|BUSY|LOCKED|READONLY|CANTOPEN|CORRUPT|NOMEM|PROTOCOL|NOTADB)/
const STORAGE_UNSAFE = /^SQLITE_(CORRUPT(_INDEX|_SEQUENCE)?|NOTADB)$/
const IO_FAILED = /^SQLITE_IOERR/

/** Whether another connection has the lock that a statement needs: the same statement may succeed shortly after. */
export function isBusy(error: unknown): boolean {
  return codeOf(error)?.startsWith('SQLITE_BUSY') ?? false
}

/**
 * Maps a refusal of the storage to an {@link OutboxError}; a broken constraint or a wrong statement stays the driver's
 * error.
 *
 * @param during at `begin` every error is a refusal; a write whose `commit` failed because of the disk may still be
 * there after a restart, if only its sync failed
 */
export function asRefusal(error: unknown, during: 'begin' | 'statement' | 'commit' = 'statement'): unknown {
  if (error instanceof OutboxError) return error
  const code = codeOf(error) ?? ''
  const message = messageOf(error)
  const said = `${code} ${message}`.trim()
  if (STORAGE_UNSAFE.test(code)) {
    return new OutboxError('storage_unsafe', `the SQLite file is damaged: ${said}`, { cause: error })
  }
  if (during === 'commit' && IO_FAILED.test(code)) {
    return new OutboxError('commit_unconfirmed', `the disk failed, the write may have been committed: ${said}`, {
      cause: error,
    })
  }
  if (/no such table: (pending_events|keepsend_)/.test(message)) {
    return new OutboxError('not_migrated', `${message}: run migrate(db) before anything else`, { cause: error })
  }
  if (during !== 'begin' && !STORAGE_REFUSED.test(code)) return error
  return new OutboxError('not_accepted', `not accepted, nothing was committed: ${said}`, { cause: error })
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if ('errcode' in error && typeof error.errcode === 'number')
    return NAMES[error.errcode] ?? NAMES[error.errcode & 0xff]
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
