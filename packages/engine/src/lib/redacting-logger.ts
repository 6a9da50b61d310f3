import { type Level, type Logger, silentLogger } from './logger.ts'
import { oneLine } from './formats/one-line.ts'
import { limitLines } from './log-limit.ts'

/**
 * A logger that is given plain text only, whoever wrote it: control characters are escaped, of a URL the origin is left,
 * keys and secrets are cut out, and a text is 1,000 characters at most. Numbers and booleans pass. Of each kind of line it is
 * given few: 20 in 10 s, 5 of them about one endpoint, and a line that says how many were left out. The engine puts it in
 * front of the logger that it is given.
 *
 * @param monotonic milliseconds that only go up
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
        // A logger that breaks costs its line, and no delivery.
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

// The second line: nothing that fits is given to the logger on purpose.
const CREDENTIALS = /\b(whsec_|whsk_|compat_|ks_|(?:bearer|basic) +)[\w+/=.~-]+/gi

const URLS = /\b([a-z][a-z0-9+.-]*:\/\/)(?:[^\s/?#"']*@)?([^\s/?#"']*)[^\s"']*/gi

function plainText(text: string): string {
  const plainly = oneLine(
    text.slice(0, MAX_TEXT).replace(URLS, '$1$2').replace(CREDENTIALS, '$1…'),
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return text.length > MAX_TEXT ? `${plainly}…` : plainly
}
