import { inspect } from 'node:util'

/** A place where a value is not as expected. */
export interface Difference {
  /** `author.name`, `tags[0]`; empty for the value itself. */
  path: string
  expected: unknown
  found: unknown
}

/** A matcher such as `expect.any(String)` of vitest or Jest. */
interface AsymmetricMatcher {
  asymmetricMatch(found: unknown): boolean
  toAsymmetricMatcher?(): string
  toString(): string
  sample?: unknown
}

/**
 * Compares a value with the expected part of it. Objects may have further properties; arrays have the same length, and their
 * elements may have further properties. `undefined` means that there is no such property. A value with `toJSON`, such as a
 * `Date`, means its JSON.
 */
export function differences(expected: unknown, found: unknown, path = ''): Difference[] {
  if (isMatcher(expected)) return expected.asymmetricMatch(found) ? [] : [{ path, expected, found }]
  if (typeof expected !== 'object' || expected === null) {
    return Object.is(expected, found) || expected === found ? [] : [{ path, expected, found }]
  }
  const json: unknown = 'toJSON' in expected && typeof expected.toJSON === 'function' ? expected.toJSON() : expected
  if (json !== expected) return differences(json, found, path)
  if (typeof found !== 'object' || found === null || Array.isArray(expected) !== Array.isArray(found)) {
    return [{ path, expected, found }]
  }
  if (Array.isArray(expected)) {
    if (expected.length !== (found as unknown[]).length) return [{ path, expected, found }]
    return expected.flatMap((one, index) => differences(one, (found as unknown[])[index], `${path}[${index}]`))
  }
  return Object.entries(expected).flatMap(([name, value]) => {
    // Not `found[name]`: `constructor` of its prototype is no property of the event.
    const own: unknown = Object.hasOwn(found, name) ? Reflect.get(found, name) : undefined
    return differences(value, own, pathTo(path, name))
  })
}

/** A value in one line, cut off where it is long. */
export function show(value: unknown): string {
  const how = { depth: MOST_LEVELS, breakLength: Infinity, maxArrayLength: 10, maxStringLength: 200 }
  const text = inspect(withNamedMatchers(value, MOST_LEVELS), how)
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS).toWellFormed()}…` : text
}

const MOST_LEVELS = 4
const MOST_CHARACTERS = 1000

/** The same value with matchers that are shown as `StringContaining 'hi'`, not by their properties. */
function withNamedMatchers(value: unknown, levels: number): unknown {
  if (isMatcher(value)) {
    const { sample } = value
    const name =
      value.toAsymmetricMatcher?.() ?? (sample === undefined ? value.toString() : `${value.toString()} ${show(sample)}`)
    return { [inspect.custom]: () => name }
  }
  if (levels === 0) return value
  if (Array.isArray(value)) return value.map((one) => withNamedMatchers(one, levels - 1))
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withNamedMatchers(one, levels - 1)]))
}

function pathTo(path: string, name: string): string {
  const isPlain = /^[A-Za-z_$][\w$]*$/.test(name)
  if (!isPlain) return `${path}[${JSON.stringify(name)}]`
  return path === '' ? name : `${path}.${name}`
}

function isMatcher(value: unknown): value is AsymmetricMatcher {
  return (
    typeof value === 'object' &&
    value !== null &&
    'asymmetricMatch' in value &&
    typeof value.asymmetricMatch === 'function'
  )
}
