import { OutboxError } from '../errors.ts'
import { type DialectName, tokens } from './tokens.ts'

/** A text split at its parameters. */
interface CutText {
  /** One more than there are parameters. */
  pieces: readonly string[]
  /** Index of the value after each piece but the last, from 0. */
  values: readonly number[]
  /** Number of values that the text needs. */
  wanted: number
  /** For Postgres, with `$1`, `$2` … */
  numbered: string
  /** For Postgres, without values: then `?` is an operator. */
  bare: string
}

/**
 * Splits a text at its parameters: each `?` outside of quoted texts, names and comments; if a text for Postgres has
 * `$1`, `$2` …, only those. Beside parameters that are written `?`, the operator `?` of jsonb is written `??`; `?|`,
 * `?&` and `@?` need no escape.
 */
export function cutAtParameters(text: string, dialect: DialectName): CutText {
  const known = cutTexts[dialect].get(text)
  if (known) return known
  const cut = cutAnew(text, dialect)
  if (cutTexts[dialect].size >= MAX_TEXTS) cutTexts[dialect].clear()
  cutTexts[dialect].set(text, cut)
  return cut
}

// Keepsend has a few dozen statements; the host's own texts must not grow this without bound.
const MAX_TEXTS = 500
const cutTexts = { sqlite: new Map<string, CutText>(), postgres: new Map<string, CutText>() }

function cutAnew(text: string, dialect: DialectName): CutText {
  const found = tokens(text, dialect)
  const isNumbered = dialect === 'postgres' && found.some(({ kind, text: it }) => kind === 'parameter' && it !== '?')
  const pieces = ['']
  const values: number[] = []
  let wanted = 0
  for (const token of found) {
    const number = token.kind === 'parameter' ? numberOf(token.text, isNumbered, wanted) : undefined
    if (number === undefined) {
      pieces[pieces.length - 1] += token.text === '??' && !isNumbered ? '?' : token.text
    } else {
      values.push(number - 1)
      pieces.push('')
      wanted = Math.max(wanted, number)
    }
  }
  const numbered = pieces.reduce((before, piece, index) => `${before}$${(values[index - 1] ?? 0) + 1}${piece}`)
  return { pieces, values, wanted, numbered, bare: isNumbered ? numbered : pieces.join('?') }
}

/** From 1; undefined if it is no parameter of a list. As in SQLite, a bare `?` is one more than the greatest so far. */
function numberOf(text: string, isNumbered: boolean, greatest: number): number | undefined {
  if (text === '?') return isNumbered ? undefined : greatest + 1
  return text.startsWith('?') || isNumbered ? Number(text.slice(1)) : undefined
}

/** The text with `$1`, `$2` … @throws {OutboxError} `invalid_statement` if the number of values is wrong */
export function numberedText(text: string, given: number): string {
  const { numbered, bare, wanted } = cutAtParameters(text, 'postgres')
  if (given === wanted) return numbered
  if (given === 0 && bare !== numbered) return bare
  throw new OutboxError(
    'invalid_statement',
    `a statement needs ${wanted} values and got ${given}: ${text.trim().slice(0, 80)}; ` +
      'beside parameters that are written ?, write the operator ? as ??, or count the parameters: $1, $2',
  )
}
