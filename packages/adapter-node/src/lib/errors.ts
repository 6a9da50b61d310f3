import { createOptionChecks, shareInstances } from '@keepsend/outbox/internal'

/**
 * What went wrong, as a stable code.
 *
 * - `invalid_option`: an option is unknown or out of its bounds, or two do not fit together; nothing was started.
 * - `not_durable`: the database did not take the durability that was asked for.
 * - `second_library`: another SQLite library in this process has the file open, which would corrupt it.
 * - `not_started`: the queue has no engine yet.
 * - `unsupported_runtime`: the driver would end this version of Node with a crash; nothing was opened.
 */
export type NodeAdapterErrorCode =
  | 'invalid_option'
  | 'not_durable'
  | 'second_library'
  | 'not_started'
  | 'unsupported_runtime'

/** The one error class of `@keepsend/adapter-node`. `instanceof` holds for the errors of every copy of the package. */
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

/** Refuses options, each under its name, as `invalid_option`. */
export const { checkBounds, checkNames } = createOptionChecks(
  (message) => new NodeAdapterError('invalid_option', message),
)
