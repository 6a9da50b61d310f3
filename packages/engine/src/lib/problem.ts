import { consoleLogger } from './console-logger.ts'
import { EngineError, type EngineErrorCode, STATUS_OF } from './errors.ts'
import { type Logger, errorFields } from './logger.ts'
import { redactingLogger } from './redacting-logger.ts'
import { oneLine } from './formats/one-line.ts'

/** RFC 9457. `code` is stable; `detail` is for people. */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  code: string
}

/** Headers of every answer of the API: it may contain a secret, so no cache stores it, and browsers must not guess its type. */
export const UNSTORED = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

/** The reason phrases of RFC 9110 and related RFCs, which `about:blank` requires as titles. */
const TITLES: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  418: "I'm a Teapot",
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  423: 'Locked',
  424: 'Failed Dependency',
  425: 'Too Early',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
}

export function titleOf(status: number): string {
  return TITLES[status] ?? 'Error'
}

/** The details of 5xx answers. Such an error's own message may quote a database, a KMS or the configuration: it is only logged. */
const FAULTS: Partial<Record<EngineErrorCode, string>> = {
  not_accepted: 'nothing was committed: repeat the request',
  commit_unconfirmed: 'the write may have taken place: check before you repeat the request',
  secret_unreadable: 'a secret could not be decrypted; see the server log',
  invalid_option: 'the server is misconfigured; see the server log',
}

const ownLogger = redactingLogger(consoleLogger)

/**
 * The response for an error, `application/problem+json`. A 5xx shows a fixed text, whatever the error's message is, and the
 * error is logged.
 *
 * @param logger `engine.logger`; by default the cause of a 5xx is written to the console
 */
export function problemResponse(error: unknown, logger: Logger = ownLogger): Response {
  const known = error instanceof EngineError ? error : undefined
  const status = known?.status ?? statusOf(error) ?? 500
  if (status >= 500) logger[status === 503 ? 'warn' : 'error'](errorFields(error), 'a request failed')
  const text = status < 500 ? (messageOf(error) ?? titleOf(status)) : known && FAULTS[known.code]
  const problem: Problem = {
    type: 'about:blank',
    title: titleOf(status),
    status,
    // On one line, because it quotes input.
    detail: oneLine(text ?? 'internal error; see the server log'),
    code: known?.code ?? codeOf(status),
  }
  const headers = new Headers({ 'content-type': 'application/problem+json', ...UNSTORED })
  if (known?.retryAfterSeconds !== undefined) headers.set('retry-after', String(known.retryAfterSeconds))
  if (status === 401) headers.set('www-authenticate', 'Bearer')
  return new Response(JSON.stringify(problem), { status, headers })
}

/** The status of an `HTTPException`, recognised by its shape, because the host may have another copy of Hono. */
function statusOf(error: unknown): number | undefined {
  const status: unknown =
    error instanceof Error && 'getResponse' in error && 'status' in error ? error.status : undefined
  return typeof status === 'number' && status >= 400 && status <= 599 ? status : undefined
}

/** Codes for errors that have only a status: each says no more than the status does. */
const GENERAL = [
  'unauthenticated',
  'forbidden',
  'not_found',
  'method_not_allowed',
  'conflict',
  'precondition_failed',
  'payload_too_large',
  'unsupported_media_type',
  'too_many_requests',
] as const satisfies EngineErrorCode[]

function codeOf(status: number): string {
  if (status >= 500) return 'internal'
  return GENERAL.find((code) => STATUS_OF[code] === status) ?? 'invalid_request'
}

function messageOf(error: unknown): string | undefined {
  return error instanceof Error && error.message !== '' ? error.message : undefined
}
