import { EngineError } from '@keepsend/engine'

/**
 * A text of a request. Postgres neither stores nor compares one with a NUL, which no browser sends by itself.
 *
 * @throws {EngineError} `invalid_request` for a text with a NUL
 */
export function withoutNul<Found extends string | undefined>(name: string, text: Found): Found {
  if (text?.includes('\0')) throw new EngineError('invalid_request', `${name} must be text without a NUL`)
  return text
}
