import { EngineError } from '../errors.ts'

/** The error of an event that breaks a rule. */
export function invalid(message: string): EngineError {
  return new EngineError('invalid_event', message)
}

/** The beginning of a value, for an error. */
export function show(value: unknown): string {
  return (JSON.stringify(value) ?? typeof value).slice(0, 100)
}
