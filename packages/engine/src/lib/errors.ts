import { OutboxError } from '@keepsend/outbox'
import { createOptionChecks, shareInstances } from '@keepsend/outbox/internal'

/**
 * The stable code of an {@link EngineError}; {@link EngineError.status} is the HTTP status of the code.
 *
 * - `invalid_request` 400, `unauthenticated` 401, `forbidden` 403, `not_found` 404, `not_retained` 404
 * - `idempotency_in_flight` 409, `conflict` 409, `precondition_failed` 412, `payload_too_large` 413
 * - `method_not_allowed` 405, `unsupported_media_type` 415
 * - `too_many_endpoints` 409, `too_many_api_keys` 409, `too_many_portal_links` 409, `too_many_deliveries` 413; `too_many_waiting`, `too_many_requests` and
 *   `too_many_idempotency_records` 429: a limit of `limits` was reached, nothing was written
 * - `too_many_replays` 429: the workspace has ten replays that have not ended
 * - `erased` 410: the answer of the request was erased, and the request is not made again
 * - `invalid_event`, `invalid_endpoint`, `idempotency_mismatch` 422
 * - `not_accepted` 503: nothing was committed; repeat the call
 * - `commit_unconfirmed` 500: the commit may have succeeded; read before you repeat it, or repeat it under its idempotency key
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
  too_many_api_keys: 409,
  too_many_portal_links: 409,
  erased: 410,
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
  too_many_replays: 429,
  secret_unreadable: 500,
  invalid_option: 500,
  commit_unconfirmed: 500,
  not_accepted: 503,
} as const

/** Every code, for the tables and documents that list them. */
export const ENGINE_ERROR_CODES = Object.keys(STATUS_OF) as EngineErrorCode[]

/** A message quotes the value that was found, which may be as long as a request. */
const MAX_MESSAGE = 1000

/**
 * The one error class of `@keepsend/engine`. Its message has at most 1,000 characters. `instanceof` works across several copies
 * of the package in one process.
 */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly code: EngineErrorCode
  /** Seconds to wait before trying again, where that is known. */
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

/** Converts an `OutboxError` to an `EngineError`; other errors, such as a violated constraint of the caller's, are returned as they are. */
export function asEngineError(error: unknown): unknown {
  if (!(error instanceof OutboxError)) return error
  if (error.code === 'not_accepted' || error.code === 'storage_unsafe')
    return new EngineError('not_accepted', error.message, { cause: error, retryAfterSeconds: 1 })
  if (error.code === 'commit_unconfirmed') return new EngineError('commit_unconfirmed', error.message, { cause: error })
  if (error.code === 'invalid_event') return new EngineError('invalid_event', error.message, { cause: error })
  return error
}

/** Checks of option names and bounds; they throw `invalid_option` and name the option. */
export const { checkBounds, checkMethods, checkNames, checkOneOf } = createOptionChecks(
  (message) => new EngineError('invalid_option', message),
)
