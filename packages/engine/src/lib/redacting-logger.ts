import { type Level, type Logger, silentLogger } from './logger.ts'
import { oneLine } from './formats/one-line.ts'
import { limitLines } from './log-limit.ts'

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
