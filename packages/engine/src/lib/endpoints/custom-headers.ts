import { EngineError } from '../errors.ts'

export const MAX_HEADERS = 32
export const MAX_VALUE_BYTES = 4096
const MAX_TOTAL_BYTES = 16_384

// RFC 9110, section 5.6.2: the characters of a header name.
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
// Visible ASCII, with spaces inside: no line break can be injected, and every client sends the same bytes.
const VALUE = /^[\u0021-\u007e]([\u0020-\u007e]*[\u0021-\u007e])?$/

// Headers of the connection, and headers that proxies and receivers attribute to Keepsend or to the platform.
const RESERVED = new Set([
  '__proto__',
  'accept-encoding',
  'connection',
  'date',
  'expect',
  'forwarded',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'via',
])
const RESERVED_PREFIXES = ['cf-', 'content-', 'keepsend-', 'proxy-', 'sec-', 'webhook-', 'x-forwarded-']

/**
 * Validates the headers of an endpoint and returns them with lower-case names, as every attempt sends them.
 *
 * @throws {EngineError} `invalid_endpoint`, naming the header; never its value, which may be a secret
 */
export function checkHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(headers)
  if (entries.length > MAX_HEADERS) throw invalid(`at most ${MAX_HEADERS} headers; found ${entries.length}`)
  const checked = new Map<string, string>()
  let bytes = 0
  for (const [given, value] of entries) {
    const name = checkHeaderName('headers', given)
    const shown = JSON.stringify(given.slice(0, 100))
    if (checked.has(name)) throw invalid(`${shown} is given twice`)
    if (value.length > MAX_VALUE_BYTES || !VALUE.test(value)) {
      throw invalid(`the value of ${shown} must be 1 to ${MAX_VALUE_BYTES} visible ASCII characters, spaces inside`)
    }
    bytes += name.length + value.length
    checked.set(name, value)
  }
  if (bytes > MAX_TOTAL_BYTES) throw invalid(`at most ${MAX_TOTAL_BYTES} bytes in all; found ${bytes}`)
  return Object.fromEntries(checked)
}

/**
 * Validates the name of a header that an endpoint may set, and returns it in lower case.
 *
 * @throws {EngineError} `invalid_endpoint`, naming the property and the header
 */
export function checkHeaderName(property: string, given: string): string {
  const name = given.toLowerCase()
  const shown = JSON.stringify(given.slice(0, 100))
  if (!TOKEN.test(name)) throw invalid(`${shown} is not a valid header name`, property)
  if (RESERVED.has(name) || RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix))) {
    throw invalid(`${shown} is reserved: endpoints cannot set it`, property)
  }
  return name
}

function invalid(message: string, property = 'headers'): EngineError {
  return new EngineError('invalid_endpoint', `${property}: ${message}`)
}
