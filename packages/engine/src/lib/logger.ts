import { limitLines } from './log-limit.ts'
import { oneLine } from './formats/one-line.ts'

/**
 * Receives the log lines of the engine and the adapters. A pino logger fits as it is, and so does any object with the first
 * three methods. Without `debug` its lines are not even assembled.
 *
 * - `error`: something in the installation is broken, or a row could not be written
 * - `warn`: a receiver fails, or something is retried
 * - `info`: something has recovered, or maintenance has done something
 * - `debug`: why a delivery waits
 */
export interface Logger {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
  debug?(fields: Record<string, unknown>, message: string): void
}

export type Level = keyof Logger

/** Writes nothing. Errors still reach the caller, the row or a counter. */
export const silentLogger: Logger = { info() {}, warn() {}, error() {} }

/** The parts of an error that are safe to log: no stack, and no cause, which could contain a body. */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: String(error) }
  const code = 'code' in error ? { code: error.code } : {}
  return { error: textOf(error), errorName: error.name, ...code }
}

function textOf(error: Error): string {
  // The JSON parser quotes the text that it read, which may be a payload.
  if (error instanceof SyntaxError) return 'invalid syntax in a parsed text'
  // drizzle appends the values of the statement.
  return error.message.split('\nparams:')[0] ?? ''
}

/**
 * Wraps a logger so that it receives only safe, plain text, wherever the text came from: control characters are escaped, URLs
 * are cut to their origin, keys and secrets are removed, and a text has at most 1,000 characters. Numbers and booleans pass.
 * It also limits the lines of each kind to 20 in 10 s, 5 of them about one endpoint, and logs how many were left out. The
 * engine wraps its `logger` option in it.
 *
 * @param monotonic returns milliseconds that never go back
 */
export function redactingLogger(logger: Logger, monotonic: () => number = () => performance.now()): Logger {
  if (logger === silentLogger) return logger
  const at =
    (level: Level): Logger['info'] =>
    (fields, message) => {
      try {
        const plainFields = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, plain(value)]))
        logger[level]?.(plainFields, plainText(message))
      } catch {
        // A logger that throws loses its line; the delivery continues.
      }
    }
  const plainly = {
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    ...(typeof logger.debug === 'function' && { debug: at('debug') }),
  }
  return limitLines(plainly, monotonic)
}

function plain(value: unknown): unknown {
  if (typeof value === 'string') return plainText(value)
  return typeof value === 'object' && value !== null ? plainText(JSON.stringify(value)) : value
}

const MAX_TEXT = 1000

// Defence in depth: no caller logs credentials on purpose; this catches accidents.
const CREDENTIALS = /\b(whsec_|whsk_|compat_|ks_|(?:bearer|basic) +)[\w+/=.~-]+/gi
const URLS = /\b([a-z][a-z0-9+.-]*:\/\/)(?:[^\s/?#"']*@)?([^\s/?#"']*)[^\s"']*/gi

function plainText(text: string): string {
  const plainly = oneLine(
    text.slice(0, MAX_TEXT).replace(URLS, '$1$2').replace(CREDENTIALS, '$1…'),
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return text.length > MAX_TEXT ? `${plainly}…` : plainly
}
