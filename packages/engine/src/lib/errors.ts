import { OutboxError } from '@keepsend/outbox'
import { createOptionChecks, shareInstances } from '@keepsend/outbox/internal'

/**
 * What went wrong, as a stable code; {@link EngineError.status} is the HTTP status that fits it.
 *
 * - `invalid_request` 400, `unauthenticated` 401, `forbidden` 403, `not_found` 404, `not_retained` 404
 * - `idempotency_in_flight` 409, `conflict` 409, `precondition_failed` 412, `payload_too_large` 413
 * - `method_not_allowed` 405, `unsupported_media_type` 415
 * - `too_many_endpoints` 409, `too_many_deliveries` 413; `too_many_waiting`, `too_many_requests` and
 *   `too_many_idempotency_records` 429: a limit of `limits` is reached, nothing was written
 * - `invalid_event`, `invalid_endpoint`, `idempotency_mismatch` 422
 * - `not_accepted` 503: nothing was committed, repeat it
 * - `commit_unconfirmed` 500: the write may have taken place; look before you repeat it
 * - `secret_unreadable` 500: a secret could not be decrypted; see `secrets`
 * - `invalid_option` 500: the engine or a helper was set up wrongly
 */
export type EngineErrorCode = keyof typeof STATUS_OF

export const STATUS_OF = {
  invalid_request: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  not_retained: 404,
  method_not_allowed: 405,
  idempotency_in_flight: 409,
  conflict: 409,
  too_many_endpoints: 409,
  precondition_failed: 412,
  payload_too_large: 413,
  too_many_deliveries: 413,
  unsupported_media_type: 415,
  invalid_event: 422,
  invalid_endpoint: 422,
  idempotency_mismatch: 422,
  too_many_waiting: 429,
  too_many_requests: 429,
  too_many_idempotency_records: 429,
  secret_unreadable: 500,
  invalid_option: 500,
  commit_unconfirmed: 500,
  not_accepted: 503,
} as const

/** Every code, for what goes through all of them. */
export const ENGINE_ERROR_CODES = Object.keys(STATUS_OF) as EngineErrorCode[]

/** A message quotes what was found, which may be as long as a request. */
const MAX_MESSAGE = 1000

/**
 * The one error class of `@keepsend/engine`. Its message is 1,000 characters at most. `instanceof` holds for the errors of
 * every copy of the package in the process.
 */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly code: EngineErrorCode
  /** Seconds after which to try again, where that is known. */
  readonly retryAfterSeconds: number | undefined

  constructor(
    code: EngineErrorCode,
    message: string,
    options: { cause?: unknown; retryAfterSeconds?: number | undefined } = {},
  ) {
    const text = message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 1)}…` : message
    super(text, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryAfterSeconds = options.retryAfterSeconds
  }

  get status(): (typeof STATUS_OF)[EngineErrorCode] {
    return STATUS_OF[this.code]
  }

  static {
    shareInstances(this, '@keepsend/engine EngineError')
  }
}

/** The outbox's refusals in the engine's words; the caller's own errors, a broken constraint say, stay as they are. */
export function asEngineError(error: unknown): unknown {
  if (!(error instanceof OutboxError)) return error
  if (error.code === 'not_accepted' || error.code === 'storage_unsafe')
    return new EngineError('not_accepted', error.message, { cause: error, retryAfterSeconds: 1 })
  if (error.code === 'commit_unconfirmed') return new EngineError('commit_unconfirmed', error.message, { cause: error })
  if (error.code === 'invalid_event') return new EngineError('invalid_event', error.message, { cause: error })
  return error
}

/** Refuses options, each under its name, as `invalid_option`. */
export const { checkBounds, checkNames } = createOptionChecks((message) => new EngineError('invalid_option', message))
