import { createOptionChecks, shareInstances } from '@keepsend/outbox/internal'

/**
 * The stable codes of {@link NodeAdapterError}.
 *
 * - `invalid_option`: an option is unknown, out of bounds, or conflicts with another; nothing was started.
 * - `not_durable`: the database did not accept the requested durability.
 * - `second_library`: another SQLite library in this process has the file open, which would corrupt it.
 * - `unsupported_runtime`: the driver would crash this version of Node; nothing was opened.
 */
export type NodeAdapterErrorCode = 'invalid_option' | 'not_durable' | 'second_library' | 'unsupported_runtime'

/** The error class of `@keepsend/adapter-node`. `instanceof` works across several copies of the package. */
export class NodeAdapterError extends Error {
  override readonly name = 'NodeAdapterError'
  readonly code: NodeAdapterErrorCode

  constructor(code: NodeAdapterErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }

  static {
    shareInstances(this, '@keepsend/adapter-node NodeAdapterError')
  }
}

/** Checks of options that throw `invalid_option` and name the option. */
export const { checkBounds, checkNames } = createOptionChecks(
  (message) => new NodeAdapterError('invalid_option', message),
)
