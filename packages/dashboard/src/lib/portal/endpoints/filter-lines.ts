import type { ContentFilter } from '@keepsend/engine'

/** One condition of a filter in words: a field of `data`, how it is compared, and with what. */
export interface FilterLine {
  path: string
  operator: FilterWord
  value: string
}

/** The operators that have words, and theirs in a filter. */
const WORDS = {
  is: '$eq',
  is_not: '$neq',
  one_of: '$in',
  none_of: '$nin',
  begins: '$startsWith',
  ends: '$endsWith',
  above: '$gt',
  least: '$gte',
  below: '$lt',
  most: '$lte',
  there: '$exist',
  absent: '$exist',
} as const

export type FilterWord = keyof typeof WORDS

export const FILTER_WORDS = Object.keys(WORDS) as FilterWord[]

type Scalar = string | number | boolean | null

const ROOT = 'data.'

/** The filter of which every line must hold; null: there is no line. */
export function filterOf(lines: readonly FilterLine[]): ContentFilter | null {
  const conditions = lines.map(({ path, operator, value }): ContentFilter => ({
    [ROOT + path.trim()]: operator === 'is' ? scalarOf(value) : { [WORDS[operator]]: operandOf(operator, value) },
  }))
  if (conditions.length === 0) return null
  const paths = new Set(lines.map(({ path }) => path.trim()))
  return paths.size === lines.length ? Object.assign({}, ...conditions) : { $and: conditions }
}

/** The lines that say the same as a filter; undefined if words cannot say it. */
export function linesOf(filter: unknown, path: string[] = []): FilterLine[] | undefined {
  if (!isObject(filter)) return lineOf(path, 'is', filter)
  const lines = Object.entries(filter).map(([key, value]) => {
    if (key === '$and')
      return path.length === 0 && Array.isArray(value) ? flat(value.map((one) => linesOf(one))) : undefined
    if (!key.startsWith('$')) return linesOf(value, [...path, ...key.split('.')])
    if (key === '$exist') return lineOf(path, value === true ? 'there' : 'absent', value)
    const word = FILTER_WORDS.find((one) => WORDS[one] === key)
    return word && lineOf(path, word, value)
  })
  return flat(lines)
}

function flat(parts: readonly (FilterLine[] | undefined)[]): FilterLine[] | undefined {
  return parts.some((part) => part === undefined) ? undefined : parts.flatMap((part) => part ?? [])
}

function lineOf([root, ...names]: string[], operator: FilterWord, operand: unknown): FilterLine[] | undefined {
  if (root !== 'data' || names.length === 0) return undefined
  const value = shownOperand(operator, operand)
  return value === undefined ? undefined : [{ path: names.join('.'), operator, value }]
}

function shownOperand(operator: FilterWord, operand: unknown): string | undefined {
  if (operator === 'there' || operator === 'absent') return typeof operand === 'boolean' ? '' : undefined
  if (operator === 'begins' || operator === 'ends') return typeof operand === 'string' ? operand : undefined
  if (operator !== 'one_of' && operator !== 'none_of') return shownScalar(operand)
  if (!Array.isArray(operand)) return undefined
  const shown = operand.map(shownScalar)
  return shown.every((one) => one !== undefined && one.trim() === one && one !== '' && !one.includes(','))
    ? shown.join(', ')
    : undefined
}

/** A text that looks like a number or a word of JSON stands in quotes. */
function shownScalar(value: unknown): string | undefined {
  if (isObject(value) || Array.isArray(value)) return undefined
  if (typeof value !== 'string') return JSON.stringify(value)
  return scalarOf(value) === value ? value : JSON.stringify(value)
}

function operandOf(operator: FilterWord, value: string): Scalar | Scalar[] {
  if (operator === 'there' || operator === 'absent') return operator === 'there'
  if (operator === 'begins' || operator === 'ends') return value
  if (operator !== 'one_of' && operator !== 'none_of') return scalarOf(value)
  const parts = value.split(',').map((part) => part.trim())
  return parts.filter((part) => part !== '').map(scalarOf)
}

function scalarOf(value: string): Scalar {
  try {
    const read: unknown = JSON.parse(value)
    if (read === null || typeof read === 'boolean' || typeof read === 'number' || typeof read === 'string') return read
  } catch {
    // A text without quotes.
  }
  return value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
