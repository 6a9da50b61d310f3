import { EngineError } from '../errors.ts'

/**
 * A condition on the body of an event, as an endpoint has it. Each key is a path into the body, such as `data.channel`, or a
 * logical operator; all of its entries must hold. A plain value means `$eq`, and an object goes on from its path. Where a path
 * leads into a list, one element that matches is enough.
 *
 * At most 50 operators, 5 levels and 4,096 bytes of JSON.
 *
 * @example
 * { 'data.channel': { $in: ['general', 'random'] }, 'data.amount': { $gte: 100 } }
 */
export interface ContentFilter {
  readonly [pathOrOperator: string]: FilterValue
}

/** A value to be equal to, a condition on the path before it, or the conditions of `$and` and `$or`. */
export type FilterValue = Scalar | ContentFilter | readonly Scalar[] | readonly ContentFilter[]

export type Scalar = string | number | boolean | null

/** A filter that was read: comparisons, joined by logical operators. */
export type Condition =
  | { kind: 'all' | 'any'; of: Condition[] }
  | { kind: 'not'; of: Condition }
  | { kind: 'compare'; path: string[]; operator: Operator; operand: Scalar | readonly Scalar[] }

const OPERATORS = [
  '$eq',
  '$neq',
  '$gt',
  '$gte',
  '$lt',
  '$lte',
  '$in',
  '$nin',
  '$startsWith',
  '$endsWith',
  '$exist',
] as const

type Operator = (typeof OPERATORS)[number]

export const MAX_OPERATORS = 50
export const MAX_LEVELS = 5
export const MAX_FILTER_BYTES = 4096

/**
 * Reads a filter of an endpoint.
 *
 * @throws {EngineError} `invalid_endpoint`, naming the place, what was found and what is expected
 */
export function readFilter(filter: unknown): Condition {
  const bytes = new TextEncoder().encode(jsonOf(filter)).length
  if (bytes > MAX_FILTER_BYTES) throw invalid(`must be at most ${MAX_FILTER_BYTES} bytes of JSON; found ${bytes}`)
  let operators = 0

  function conditionsOf(found: unknown, path: string[], level: number): Condition {
    if (!isObject(found)) throw invalid(`${at(path)} must be an object of paths and operators; found ${show(found)}`)
    if (level > MAX_LEVELS) throw invalid(`must have at most ${MAX_LEVELS} levels; found more at ${at(path)}`)
    const entries = Object.entries(found)
    if (entries.length === 0) throw invalid(`${at(path)} must not be empty`)
    const of = entries.map(([key, value]) => conditionOf(key, value, path, level))
    return of.length === 1 && of[0] ? of[0] : { kind: 'all', of }
  }

  function conditionOf(key: string, value: unknown, path: string[], level: number): Condition {
    if (key === '$and' || key === '$or') {
      counted()
      if (!Array.isArray(value) || value.length === 0) {
        throw invalid(`${key} at ${at(path)} must be a list of conditions; found ${show(value)}`)
      }
      return { kind: key === '$and' ? 'all' : 'any', of: value.map((one) => conditionsOf(one, path, level + 1)) }
    }
    if (key === '$not') {
      counted()
      return { kind: 'not', of: conditionsOf(value, path, level + 1) }
    }
    if (key.startsWith('$')) return comparison(key, value, path)
    const parts = key.split('.')
    if (parts.includes('')) throw invalid(`a path must be names joined by dots; found ${show(key)}`)
    const whole = [...path, ...parts]
    return isObject(value) ? conditionsOf(value, whole, level + 1) : comparison('$eq', value, whole)
  }

  function comparison(key: string, operand: unknown, path: string[]): Condition {
    counted()
    const operator = OPERATORS.find((one) => one === key)
    if (!operator) throw invalid(`has no operator ${show(key)}; the operators are ${ALL_OPERATORS.join(', ')}`)
    if (path.length === 0)
      throw invalid(`${operator} must stand behind a path, such as { "data.id": { "${operator}": … } }`)
    if (!isOperandOf(operator, operand)) {
      throw invalid(`${operator} at ${at(path)} must be ${operandOf(operator)}; found ${show(operand)}`)
    }
    return { kind: 'compare', path, operator, operand }
  }

  function counted(): void {
    if (++operators > MAX_OPERATORS)
      throw invalid(`must have at most ${MAX_OPERATORS} operators; a plain value is one too`)
  }

  return conditionsOf(filter, [], 1)
}

/** Of a few thousand levels the stack runs out, and a filter in code may hold itself. */
function jsonOf(filter: unknown): string {
  try {
    return JSON.stringify(filter) ?? ''
  } catch (error) {
    throw invalid(`cannot be written as JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

const ALL_OPERATORS = [...OPERATORS, '$and', '$or', '$not']

function isOperandOf(operator: Operator, operand: unknown): operand is Scalar | readonly Scalar[] {
  switch (operator) {
    case '$eq':
    case '$neq':
      return isScalar(operand)
    case '$in':
    case '$nin':
      return Array.isArray(operand) && operand.length > 0 && operand.every(isScalar)
    case '$exist':
      return typeof operand === 'boolean'
    case '$startsWith':
    case '$endsWith':
      return typeof operand === 'string' && isScalar(operand)
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      return (typeof operand === 'string' || typeof operand === 'number') && isScalar(operand)
  }
}

function operandOf(operator: Operator): string {
  if (operator === '$in' || operator === '$nin') return 'a list of texts, numbers, true, false or null'
  if (operator === '$exist') return 'true or false'
  if (operator === '$startsWith' || operator === '$endsWith') return 'a text'
  return operator === '$eq' || operator === '$neq' ? 'a text, a number, true, false or null' : 'a text or a number'
}

/** A text must be storable: Postgres rejects NUL and lone surrogates. */
function isScalar(value: unknown): value is Scalar {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0')
  return value === null || typeof value === 'boolean' || Number.isFinite(value)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function at(path: readonly string[]): string {
  return path.length === 0 ? 'the filter' : JSON.stringify(path.join('.')).slice(0, 100)
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? typeof value).slice(0, 100)
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_endpoint', `filter: ${message}`)
}
