/**
 * Where the engine says what it does and what went wrong: pino fits as it is, and so does any object with the first three
 * methods. `debug` may be missing; then nothing is made for it.
 *
 * - `error`: something of the operator's is broken, or a row could not be written.
 * - `warn`: a receiver fails, or something is tried again.
 * - `info`: something is well again, or maintenance has done something.
 * - `debug`: why a delivery waits.
 */
export interface Logger {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
  debug?(fields: Record<string, unknown>, message: string): void
}

export type Level = keyof Logger

/** Says nothing. Errors still reach the caller, the row or a counter. */
export const silentLogger: Logger = { info() {}, warn() {}, error() {} }

/** The parts of an error that are safe to log: no stack of the host's, no cause that could hold a body. */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: String(error) }
  const code = 'code' in error ? { code: error.code } : {}
  return { error: textOf(error), errorName: error.name, ...code }
}

function textOf(error: Error): string {
  // The parser of JSON quotes what it read.
  if (error instanceof SyntaxError) return 'what was read is not in its format'
  // drizzle says the values of a statement after it.
  return error.message.split('\nparams:')[0] ?? ''
}
