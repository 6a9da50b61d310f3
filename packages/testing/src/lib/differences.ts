import { inspect } from 'node:util'

/** A place where a value is not as expected. */
export interface Difference {
  /** `author.name`, `tags[0]`; empty for the value itself. */
  path: string
  expected: string
  found: string
}

/** A matcher such as `expect.any(String)` of vitest or Jest. */
interface AsymmetricMatcher {
  asymmetricMatch(found: unknown): boolean
  toAsymmetricMatcher?(): string
}

/**
 * Compares a value with the expected part of it. Objects may have further properties; arrays have the same length, and their
 * elements may have further properties. `undefined` means that there is no such property. A value with `toJSON`, such as a
 * `Date`, means its JSON.
 */
export function differences(expected: unknown, found: unknown, path = ''): Difference[] {
  if (isMatcher(expected)) return expected.asymmetricMatch(found) ? [] : [differ(expected, found, path)]
  if (typeof expected !== 'object' || expected === null) {
    return Object.is(expected, found) || expected === found ? [] : [differ(expected, found, path)]
  }
  const json: unknown = 'toJSON' in expected && typeof expected.toJSON === 'function' ? expected.toJSON() : expected
  if (json !== expected) return differences(json, found, path)
  if (typeof found !== 'object' || found === null || Array.isArray(expected) !== Array.isArray(found)) {
    return [differ(expected, found, path)]
  }
  if (Array.isArray(expected)) {
    if (expected.length !== (found as unknown[]).length) return [differ(expected, found, path)]
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
  if (isMatcher(value) && value.toAsymmetricMatcher) return value.toAsymmetricMatcher()
  return inspect(value, { depth: 4, breakLength: Infinity, maxArrayLength: 10, maxStringLength: 200 })
}

function differ(expected: unknown, found: unknown, path: string): Difference {
  return {
    path,
    expected: expected === undefined ? 'nothing' : show(expected),
    found: found === undefined ? 'nothing' : show(found),
  }
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
