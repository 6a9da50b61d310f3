/** Finds numbers that JavaScript may write differently: with 16 digits or more, a fraction, an exponent, or `-0`. */
const MAY_CHANGE = /\d{16}|\d[.eE]|-0/

// Removed first: times and ids in strings look like such numbers.
const STRINGS = /"[^"\\]*(?:\\.[^"\\]*)*"/g

interface RawJson {
  rawJSON?: (text: string) => object
  isRawJSON?: (value: unknown) => boolean
}

/** Whether a value is such an object. */
export function isNumberAsWritten(value: unknown): boolean {
  return (JSON as RawJson).isRawJSON?.(value) ?? false
}

/**
 * `JSON.parse`, but numbers that would be written differently (a 64-bit id, `1e400`, `1.0`, `-0`) become objects that
 * `JSON.stringify` writes as the original digits. Undefined if there are no such numbers.
 *
 * @throws {SyntaxError} for invalid JSON
 */
export function parseAsWritten(text: string): unknown {
  const { rawJSON } = JSON as RawJson
  if (!rawJSON || !MAY_CHANGE.test(text.replace(STRINGS, ''))) return undefined
  let isChanged = false
  // The types do not have the third parameter yet.
  const exact = (_key: string, value: unknown, { source }: { source?: string } = {}): unknown => {
    if (typeof value !== 'number' || source === undefined || JSON.stringify(value) === source) return value
    isChanged = true
    return rawJSON(source)
  }
  const parsed: unknown = JSON.parse(text, exact)
  return isChanged ? parsed : undefined
}

// The data of a request as `JSON.parse` reads it, by the same data with the digits as written.
const read = new WeakMap<object, object>()

/** Remembers how JavaScript reads the data of a request that {@link parseAsWritten} has parsed. */
export function asWritten(written: object, plain: object): object {
  read.set(written, plain)
  return written
}

/** The data for a schema, which expects numbers: data with its digits as written becomes plain again. */
export function plainOf(data: object): object {
  return read.get(data) ?? data
}

/** The output of a schema with the digits as written, wherever it has the same number in the same place. */
export function withDigitsOf(written: unknown, plain: unknown, output: unknown): unknown {
  if (typeof output === 'number') return Object.is(output, plain) ? written : output
  if (!isTree(output) || !isTree(plain) || !isTree(written)) return output
  const entries = Object.entries(output).map(
    ([name, value]) => [name, withDigitsOf(written[name], plain[name], value)] as const,
  )
  return Array.isArray(output) ? entries.map(([, value]) => value) : Object.fromEntries(entries)
}

function isTree(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || isNumberAsWritten(value)) return false
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
}
