import { OutboxError } from '../errors.ts'
import { type DialectName, tokens } from './tokens.ts'

/** A text cut at its parameters. */
interface CutText {
  /** One more than there are parameters. */
  pieces: readonly string[]
  /** Which value stands behind each piece but the last, from 0. */
  values: readonly number[]
  /** How many values the text wants. */
  wanted: number
  /** For Postgres, with `$1`, `$2` … */
  numbered: string
  /** For Postgres, without values: `?` is an operator then. */
  bare: string
}

/**
 * Cuts a text at its parameters: each `?` outside of quoted texts, names and comments; where a text for Postgres has `$1`,
 * `$2` …, those alone. Beside parameters that are written `?`, the operator `?` of jsonb is written `??`; `?|`, `?&` and `@?`
 * are known.
 */
export function cutAtParameters(text: string, dialect: DialectName): CutText {
  const known = cutTexts[dialect].get(text)
  if (known) return known
  const cut = cutAnew(text, dialect)
  if (cutTexts[dialect].size >= MAX_TEXTS) cutTexts[dialect].clear()
  cutTexts[dialect].set(text, cut)
  return cut
}

// Statements of ours are a few dozen; a caller's own texts must not grow this without end.
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

/** From 1; undefined for what is no parameter of a list. A bare `?` is the one behind the greatest so far, as in SQLite. */
function numberOf(text: string, isNumbered: boolean, greatest: number): number | undefined {
  if (text === '?') return isNumbered ? undefined : greatest + 1
  return text.startsWith('?') || isNumbered ? Number(text.slice(1)) : undefined
}

/** The text with `$1`, `$2` … @throws {OutboxError} `invalid_statement` for another number of values than it wants */
export function numberedText(text: string, given: number): string {
  const { numbered, bare, wanted } = cutAtParameters(text, 'postgres')
  if (given === wanted) return numbered
  if (given === 0 && bare !== numbered) return bare
  throw new OutboxError(
    'invalid_statement',
    `a statement wants ${wanted} values and was given ${given}: ${text.trim().slice(0, 80)}; ` +
      'beside parameters that are written ?, write the operator ? as ??, or count the parameters: $1, $2',
  )
}
