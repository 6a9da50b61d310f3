import { type DialectName, type Token, tokens } from './tokens.ts'

/** One statement of a text. */
export interface WrittenStatement {
  /** The text as written, with comments inside it, without those around it and without the `;` that ends it. */
  text: string
  /** Its tokens in lower case, without white space and comments. */
  words: string[]
}

/**
 * Splits a text into its statements. A `;` in a quoted text, a comment, a pair of brackets or the body of a trigger or
 * function ends none.
 */
export function splitStatements(sql: string, dialect: DialectName): WrittenStatement[] {
  const statements: WrittenStatement[] = []
  let current: Token[] = []
  for (const token of [...tokens(sql, dialect), END]) {
    if (!(token === END || (token.text === ';' && !goesOn(current, dialect)))) {
      current.push(token)
      continue
    }
    const first = current.findIndex(isWritten)
    const last = current.findLastIndex(isWritten)
    const written = current.slice(first, last + 1)
    if (first >= 0) statements.push({ text: textOf(written), words: wordsOf(written) })
    current = []
  }
  return statements
}

const END: Token = { kind: 'other', text: '' }

function isWritten({ kind }: Token): boolean {
  return kind !== 'space'
}

function textOf(written: readonly Token[]): string {
  return written.map(({ text }) => text).join('')
}

function wordsOf(written: readonly Token[]): string[] {
  return written.filter(isWritten).map(({ text }) => text.toLowerCase())
}

// Only SQLite's triggers and Postgres' `begin atomic` functions have a body; any other body is one quoted text.
const TRIGGER = /^create (?:temp |temporary )?trigger /
const FUNCTION = /^create (?:or replace )?(?:function|procedure) .* begin atomic /s

/** Whether a `;` after these tokens belongs to the statement. A body ends with an `end` that begins a statement. */
function goesOn(current: readonly Token[], dialect: DialectName): boolean {
  const words = wordsOf(current)
  const opened = words.filter((word) => word === '(').length - words.filter((word) => word === ')').length
  if (opened > 0) return true
  const text = `${words.join(' ')} `
  const hasBody = dialect === 'sqlite' ? TRIGGER.test(text) : FUNCTION.test(text)
  const ends = words.at(-1) === 'end' && [';', 'atomic', 'begin'].includes(words.at(-2) ?? '')
  return hasBody && !ends
}
