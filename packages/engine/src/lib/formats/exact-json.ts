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
