/** Where the engine says what went wrong: pino fits as it is, and so does any object with these three methods. */
export interface Logger {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

/** Says nothing. Errors still reach the caller, the row or a counter. */
export const silentLogger: Logger = { info() {}, warn() {}, error() {} }

/** The parts of an error that are safe to log: no stack of the host's, no cause that could hold a body. */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: String(error) }
  const code = 'code' in error ? { code: error.code } : {}
  return { error: error.message, errorName: error.name, ...code }
}
