/** A number that JavaScript would write otherwise may be among these: of 16 digits or more, with a fraction, an exponent or `-0`. */
const MAY_CHANGE = /\d{16}|\d[.eE]|-0/

// With times and ids in them, which look like such numbers.
const STRINGS = /"[^"\\]*(?:\\.[^"\\]*)*"/g

interface RawJson {
  rawJSON?: (text: string) => object
}

/**
 * `JSON.parse`, but of a number that would come out otherwise (a 64-bit id, `1e400`, `1.0`, `-0`) an object, which
 * `JSON.stringify` writes as the number stood. Undefined where there is none.
 *
 * @throws {SyntaxError} what is no JSON
 */
export function parseAsWritten(text: string): unknown {
  const { rawJSON } = JSON as RawJson
  if (!rawJSON || !MAY_CHANGE.test(text.replace(STRINGS, ''))) return undefined
  let isChanged = false
  // The third parameter is newer than its type.
  const keep = (_key: string, value: unknown, { source }: { source?: string } = {}): unknown => {
    if (typeof value !== 'number' || source === undefined || JSON.stringify(value) === source) return value
    isChanged = true
    return rawJSON(source)
  }
  const parsed: unknown = JSON.parse(text, keep)
  return isChanged ? parsed : undefined
}
