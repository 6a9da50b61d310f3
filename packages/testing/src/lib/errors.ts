import { createOptionChecks, shareInstances } from '@keepsend/outbox/internal'

/**
 * The stable codes of {@link TestingError}.
 *
 * - `invalid_option`: an option or an argument is unknown, out of bounds, or conflicts with another.
 * - `no_transaction`: `db` is a connection on which no transaction is open (any more).
 * - `not_settled`: `deliverAll` reached its limit of attempts while deliveries still waited.
 * - `settle_refused`: the database refused the outcome of an attempt.
 */
export type TestingErrorCode = 'invalid_option' | 'no_transaction' | 'not_settled' | 'settle_refused'

/** The error class of `@keepsend/testing`. `instanceof` works across several copies of the package. */
export class TestingError extends Error {
  override readonly name = 'TestingError'
  readonly code: TestingErrorCode

  constructor(code: TestingErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }

  static {
    shareInstances(this, '@keepsend/testing TestingError')
  }
}

/** Checks of options that throw `invalid_option` and name the option. */
export const { checkBounds, checkNames } = createOptionChecks((message) => new TestingError('invalid_option', message))
