/**
 * What went wrong, as a stable code.
 *
 * - `invalid_option`: an option is out of its bounds, or two do not fit together; nothing was started.
 * - `not_durable`: the database did not take the durability that was asked for.
 * - `not_started`: the queue has no engine yet.
 */
export type AdapterErrorCode = 'invalid_option' | 'not_durable' | 'not_started'

/** The one error class of `@keepsend/adapter-node`. */
export class AdapterError extends Error {
  override readonly name = 'AdapterError'
  readonly code: AdapterErrorCode

  constructor(code: AdapterErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** Refuses an option outside its bounds, naming the option, what it expects and what was found. */
export function checkBounds(option: string, value: number, min: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new AdapterError('invalid_option', `${option} must be a whole number from ${min} to ${max}; found ${value}`)
  }
}
