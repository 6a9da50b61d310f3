import type { Engine } from '@keepsend/engine'
import { createOptionChecks, shareInstances } from '@keepsend/outbox/internal'

/**
 * What went wrong, as a stable code.
 *
 * - `invalid_option`: an option is unknown or out of its bounds, or two do not fit together; nothing was started.
 * - `missing_binding`: the Worker's environment lacks what `bindings` asked it for.
 * - `missing_flag`: the Worker runs without a compatibility flag that keeps it safe; nothing was started.
 * - `message_too_large`: an event without rows does not fit a queue message.
 * - `queue_timeout`: the queue did not answer in time; it may have taken the messages.
 */
export type CloudflareAdapterErrorCode =
  | 'invalid_option'
  | 'missing_binding'
  | 'missing_flag'
  | 'message_too_large'
  | 'queue_timeout'

/** The one error class of `@keepsend/adapter-cloudflare`. `instanceof` holds for the errors of every copy of the package. */
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

/** Refuses options, each under its name, as `invalid_option`. */
export const { checkBounds, checkNames } = createOptionChecks(
  (message) => new CloudflareAdapterError('invalid_option', message),
)

/** Refuses an engine without a sender where deliveries are to be made. */
export function checkCanDeliver(engine: Pick<Engine, 'worker'>): void {
  if (engine.worker.canDeliver) return
  throw new CloudflareAdapterError(
    'invalid_option',
    'the engine has no sender, so each attempt would fail: give createEngine one (createFetchSender())',
  )
}
