import { OutboxError } from '../errors.ts'
import { splitStatements } from './split.ts'
import type { DialectName } from './tokens.ts'

/**
 * Refuses texts that cannot run in a transaction with other statements: none, several statements in one text, and those
 * that begin or end a transaction, or change the connection for its next user. Each text is checked once.
 *
 * @throws {OutboxError} `invalid_statement`, naming the statement
 */
export function refuseTransactionControl(text: string, dialect: DialectName): void {
  if (allowedTexts[dialect].has(text)) return
  const [statement, ...others] = splitStatements(text, dialect)
  if (!statement || others.length > 0) {
    throw refusal(text, `expected one statement; found ${statement ? others.length + 1 : 'none'}`)
  }
  const [first = '', second = ''] = statement.words
  const harmless = REFUSED.get(first)
  if (harmless && !harmless.includes(second)) {
    throw refusal(text, `${first} cannot be part of a transaction that others share`)
  }
  const allowed = allowedTexts[dialect]
  for (const oldest of allowed) {
    if (allowed.size < MAX_TEXTS) break
    allowed.delete(oldest)
  }
  allowed.add(text)
}

const MAX_TEXTS = 500
const allowedTexts = { sqlite: new Set<string>(), postgres: new Set<string>() }

/** Refused by the first word, unless one of these second words follows, whose effect ends with the transaction. */
const REFUSED = new Map<string, readonly string[]>([
  ...['begin', 'start', 'commit', 'end', 'abort', 'rollback', 'savepoint', 'release', 'prepare'].map(
    (word) => [word, []] as const,
  ),
  ...['attach', 'detach', 'vacuum', 'reset', 'discard', 'listen', 'unlisten'].map((word) => [word, []] as const),
  ['pragma', ['defer_foreign_keys']],
  ['set', ['local', 'constraints', 'transaction']],
])

function refusal(text: string, reason: string): OutboxError {
  return new OutboxError('invalid_statement', `${reason}; nothing was written: ${text.trim().slice(0, 80)}`)
}
