import type { Level, Logger } from './logger.ts'

const at =
  (level: Level, write: (line: string) => void): Logger['info'] =>
  (fields, message) =>
    write(lineOf(level, fields, message))

/**
 * Writes one line of text per call to the console, the default of every `logger` option:
 * `2026-11-23T12:00:00.000Z keepsend warn: attempt failed … (endpointId=ep_…)`. On Node every level goes to stderr, because
 * stdout belongs to the host. It has no `debug`. {@link silentLogger} writes nothing.
 */
export const consoleLogger: Logger = {
  info: at('info', (line) => console.warn(line)),
  warn: at('warn', (line) => console.warn(line)),
  error: at('error', (line) => console.error(line)),
}

/** The default of an engine with `development`. `console.debug` would write to stdout. */
export const debugConsoleLogger: Logger = {
  ...consoleLogger,
  debug: at('debug', (line) => console.warn(line)),
}

function lineOf(level: Level, fields: Record<string, unknown>, message: string): string {
  const shown = Object.entries(fields).filter(([, value]) => value !== undefined)
  const detail = shown.map(([name, value]) => `${name}=${valueOf(value)}`).join(', ')
  return `${new Date().toISOString()} keepsend ${level}: ${message}${detail === '' ? '' : ` (${detail})`}`
}

function valueOf(value: unknown): string {
  return typeof value === 'string' && /^[\w.:/-]+$/.test(value) ? value : (JSON.stringify(value) ?? String(value))
}
