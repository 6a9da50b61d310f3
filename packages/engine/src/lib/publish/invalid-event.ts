import { EngineError } from '../errors.ts'

/** The error of an event that breaks a rule. */
export function invalid(message: string): EngineError {
  return new EngineError('invalid_event', message)
}

/** The beginning of a value, for an error. */
export function show(value: unknown): string {
  return (JSON.stringify(value) ?? typeof value).slice(0, 100)
}

/** The kind of a value, for an error. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return typeof value === 'object' ? `a value of ${value.constructor?.name}` : typeof value
}
