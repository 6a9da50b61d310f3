import type { TakenEvent } from '@keepsend/outbox'
import { type Condition, type Scalar, readFilter } from './content-filter.ts'

/**
 * Whether a delivery matches the copy of its endpoint's filter, if its row has one.
 *
 * @throws for a filter that was broken by hand
 */
export function matchesOwnFilter(event: TakenEvent): boolean {
  return event.filter === null || matches(readFilter(JSON.parse(event.filter)), bodyOf(event))
}

/**
 * Whether the body matches. A comparison whose path leads nowhere is false, except `$exist: false`; a value of another type
 * is neither equal, nor less, nor greater.
 */
export function matches(condition: Condition, body: unknown): boolean {
  return failedOf(condition, body) === undefined
}

/** The first comparison that does not hold, or the `$or` or `$not` around it; undefined if the body matches. */
export function failedOf(condition: Condition, body: unknown): Condition | undefined {
  switch (condition.kind) {
    case 'all':
      for (const one of condition.of) {
        const failed = failedOf(one, body)
        if (failed) return failed
      }
      return undefined
    case 'any':
      return condition.of.some((one) => matches(one, body)) ? undefined : condition
    case 'not':
      return matches(condition.of, body) ? condition : undefined
    case 'compare':
      return holds(condition, body) ? undefined : condition
  }
}

/** The body of an event for its filters; undefined if it is not JSON, so that no path leads anywhere. */
export function bodyOf({ payload, contentType }: { payload: string; contentType: string | null }): unknown {
  if (contentType !== null && !JSON_TYPE.test(contentType)) return undefined
  try {
    return JSON.parse(payload)
  } catch {
    return undefined
  }
}

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i

function holds({ path, operator, operand }: Condition & { kind: 'compare' }, body: unknown): boolean {
  const found = valuesAt(body, path)
  switch (operator) {
    case '$exist':
      return found.length > 0 === operand
    // None of the values of a list may be one that is excluded.
    case '$neq':
    case '$nin':
      return found.length > 0 && !found.some((value) => isOne(value, operand))
    case '$eq':
    case '$in':
      return found.some((value) => isOne(value, operand))
    case '$startsWith':
      return found.some((value) => typeof value === 'string' && value.startsWith(String(operand)))
    case '$endsWith':
      return found.some((value) => typeof value === 'string' && value.endsWith(String(operand)))
    case '$gt':
      return found.some((value) => orderOf(value, operand) > 0)
    case '$gte':
      return found.some((value) => orderOf(value, operand) >= 0)
    case '$lt':
      return found.some((value) => orderOf(value, operand) < 0)
    case '$lte':
      return found.some((value) => orderOf(value, operand) <= 0)
  }
}

function isOne(value: unknown, operand: Scalar | readonly Scalar[]): boolean {
  return typeof operand === 'object' && operand !== null ? operand.some((one) => one === value) : operand === value
}

/** Negative, 0 or positive; NaN if the two cannot be compared. Texts are compared by their UTF-16 code units. */
function orderOf(value: unknown, operand: unknown): number {
  if (typeof value === 'number' && typeof operand === 'number') return value - operand
  if (typeof value !== 'string' || typeof operand !== 'string') return Number.NaN
  return value < operand ? -1 : Number(value > operand)
}

// A filter is evaluated by the publisher: long lists in an event must not hold it up.
const MAX_VALUES = 1000

/** The values to which a path leads, at most 1,000: through each element of a list, or the one that its part numbers. */
function valuesAt(body: unknown, path: readonly string[]): unknown[] {
  let found = [body]
  for (const part of path) found = found.flatMap((value) => stepsOf(value, part)).slice(0, MAX_VALUES)
  return found
    .flatMap((value) => (Array.isArray(value) ? [value, ...value.slice(0, MAX_VALUES)] : [value]))
    .filter((value) => value !== undefined)
    .slice(0, MAX_VALUES)
}

function stepsOf(value: unknown, part: string): unknown[] {
  if (Array.isArray(value)) {
    const numbered = /^(?:0|[1-9]\d{0,8})$/.test(part) ? [value[Number(part)]] : []
    const elements = value.slice(0, MAX_VALUES).flatMap((one) => (Array.isArray(one) ? [] : stepsOf(one, part)))
    return [...numbered, ...elements]
  }
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return []
  return [(value as Record<string, unknown>)[part]]
}
