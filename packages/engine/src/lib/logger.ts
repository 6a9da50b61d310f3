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

/**
 * The parts of an error that are safe to log: no stack, and no cause, which could contain a body. It never throws, whatever was
 * thrown: no line of the log may cost a delivery.
 */
export function errorFields(error: unknown): Record<string, unknown> {
  try {
    return fieldsOf(error)
  } catch {
    // A getter, a proxy or a `toString` threw.
    return { error: 'an error without a readable text' }
  }
}

function fieldsOf(error: unknown): Record<string, unknown> {
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
