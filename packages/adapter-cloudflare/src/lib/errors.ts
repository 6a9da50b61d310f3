import type { Engine } from '@keepsend/engine'
import { createOptionChecks, shareInstances } from '@keepsend/outbox/internal'

/**
 * The stable codes of {@link CloudflareAdapterError}.
 *
 * - `invalid_option`: an option is unknown, out of bounds, or conflicts with another; nothing was started.
 * - `missing_binding`: the Worker's environment lacks a binding that `bindings` read.
 * - `missing_flag`: the Worker runs without a required compatibility flag; nothing was started.
 * - `message_too_large`: an event without rows does not fit a queue message.
 * - `queue_timeout`: the queue did not answer in time; it may have taken the messages.
 */
export type CloudflareAdapterErrorCode =
  | 'invalid_option'
  | 'missing_binding'
  | 'missing_flag'
  | 'message_too_large'
  | 'queue_timeout'

/** The error class of `@keepsend/adapter-cloudflare`. `instanceof` works across several copies of the package. */
export class CloudflareAdapterError extends Error {
  override readonly name = 'CloudflareAdapterError'
  readonly code: CloudflareAdapterErrorCode

  constructor(code: CloudflareAdapterErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }

  static {
    shareInstances(this, '@keepsend/adapter-cloudflare CloudflareAdapterError')
  }
}

/** Checks of options that throw `invalid_option` and name the option. */
export const { checkBounds, checkNames } = createOptionChecks(
  (message) => new CloudflareAdapterError('invalid_option', message),
)

/** Refuses an engine that cannot deliver because it has no sender. @throws {CloudflareAdapterError} `invalid_option` */
export function checkCanDeliver(engine: Pick<Engine, 'worker'>): void {
  if (engine.worker.canDeliver) return
  throw new CloudflareAdapterError(
    'invalid_option',
    'the engine has no sender, so each attempt would fail: give createEngine one (createFetchSender())',
  )
}
