import { type ErrorClass, classOf } from '@keepsend/engine'
import type { MessageKey, Text } from '../language/text.ts'
import type { Reads } from '../reader/reader.ts'

const DOCS = 'https://github.com/keepsend/keepsend/blob/main/docs/'

/**
 * Every kind of error that the pages explain, with its page in the docs: the classes of the engine, and kinds of some of them. Each has
 * texts under its name: `error.dns` in lists, `.why` as a sentence, and the likely fix, `.fix` for the operator and `.you` for the
 * customer.
 */
export const ERRORS = {
  timeout: 'receiving.md#answers-and-retries',
  dns: 'receiving.md#your-url',
  connect: 'errors.md#errors-of-deliveries',
  connect_refused: 'errors.md#errors-of-deliveries',
  tls: 'errors.md#errors-of-deliveries',
  tls_expired: 'errors.md#errors-of-deliveries',
  tls_untrusted: 'errors.md#errors-of-deliveries',
  tls_other_name: 'errors.md#errors-of-deliveries',
  network: 'errors.md#errors-of-deliveries',
  invalid_response: 'errors.md#errors-of-deliveries',
  blocked_address: 'receiving.md#your-url',
  invalid_url: 'receiving.md#your-url',
  scheme: 'receiving.md#your-url',
  credentials: 'receiving.md#your-url',
  port: 'receiving.md#your-url',
  egress_proxy: 'errors.md#errors-of-deliveries',
  sender_limit: 'errors.md#errors-of-deliveries',
  auth: 'errors.md#errors-of-deliveries',
  http_3xx: 'receiving.md#answers-and-retries',
  http_4xx: 'errors.md#http-statuses',
  http_body: 'errors.md#http-statuses',
  http_credentials: 'receiving.md#a-receiver',
  http_path: 'receiving.md#your-url',
  http_gone: 'receiving.md#answers-and-retries',
  http_busy: 'isolation.md#pause',
  http_5xx: 'errors.md#http-statuses',
  http_proxy: 'errors.md#http-statuses',
  endpoint_gone: 'errors.md#errors-of-deliveries',
  endpoint_lookup_failed: 'errors.md#errors-of-deliveries',
  secret_unreadable: 'secrets.md#a-wrong-key',
  conversion_failed: 'catalog.md#when-an-event-is-converted',
  internal_error: 'errors.md#errors-of-deliveries',
  dead_letter: 'errors.md#errors-of-deliveries',
  expired: 'scheduling.md#a-time-to-expire',
  cancelled: 'scheduling.md#cancelling',
  given_up: 'replay.md#the-deliveries-of-a-replay',
  attempts_exhausted: 'receiving.md#answers-and-retries',
  delivery_unconfirmed: 'delivery-guarantees.md#delivery_unconfirmed',
  other: 'errors.md#errors-of-deliveries',
} as const satisfies Record<ErrorClass, string> & Record<string, string>

type Kind = keyof typeof ERRORS
type HttpKind = Extract<Kind, `http_${string}`>

/** Statuses that are explained apart from the others of their class. */
const STATUSES: Readonly<Record<number, HttpKind>> = {
  400: 'http_body',
  401: 'http_credentials',
  403: 'http_credentials',
  404: 'http_path',
  405: 'http_path',
  407: 'http_credentials',
  410: 'http_gone',
  413: 'http_body',
  415: 'http_body',
  422: 'http_body',
  429: 'http_busy',
  502: 'http_proxy',
  504: 'http_proxy',
}

/** Kinds of a class that the code in its text tells apart. */
const CODES: readonly (readonly [pattern: RegExp, kind: Kind])[] = [
  [/^connect: ECONNREFUSED/, 'connect_refused'],
  [/^tls: CERT_HAS_EXPIRED/, 'tls_expired'],
  [/^tls: ERR_TLS_CERT_ALTNAME/, 'tls_other_name'],
  [/^tls: (DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|UNABLE_TO_)/, 'tls_untrusted'],
]

/** The names of statuses, as HTTP has them. */
const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
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
  415: 'Unsupported Media Type',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  423: 'Locked',
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
  505: 'HTTP Version Not Supported',
  520: 'Unknown Error',
  521: 'Web Server Is Down',
  522: 'Connection Timed Out',
  523: 'Origin Is Unreachable',
  524: 'A Timeout Occurred',
  530: 'Origin DNS Error',
}

/** An error as rows have it: of a delivery, an attempt, a problem or an endpoint. */
export interface FoundError {
  /** Its text. */
  error: string | null
  httpStatus: number | null
  /** @default that of the text */
  errorClass?: ErrorClass | null | undefined
}

/** An error in words. */
export interface ExplainedError {
  /** In a list: `401 Unauthorized`, `Certificate expired`. */
  name: string
  /** A sentence. */
  why: string
  /** The likely fix. */
  fix: string
  /** The page of the docs about it. */
  docs: string
}

/**
 * Explains an error; undefined if there is none.
 *
 * @param reads who reads the fix: the operator, or the customer about an endpoint of theirs
 */
export function explainError(found: FoundError, text: Text, reads: Reads): ExplainedError | undefined {
  const kind = kindOf(found)
  if (kind === undefined) return undefined
  return {
    name: nameOf(kind, found.httpStatus, text),
    why: text(`error.${kind}.why`),
    fix: text(reads === 'operator' ? `error.${kind}.fix` : `error.${kind}.you`),
    docs: DOCS + ERRORS[kind],
  }
}

/**
 * The part of an error's text that a reader may see. To a customer that is the answer of their endpoint, or the code of the system: the
 * rest of a text may name hosts of the sender.
 */
export function shownText({ error, httpStatus, errorClass = classOf(error, httpStatus) }: FoundError, reads: Reads) {
  if (error === null || reads === 'operator' || errorClass?.startsWith('http_')) return error
  return /^\w+: ([A-Z][A-Z0-9_]{3,})\b/.exec(error)?.[1] ?? null
}

/** The name of an error in a list; undefined if there is none. */
export function errorName(found: FoundError, text: Text): string | undefined {
  const kind = kindOf(found)
  return kind === undefined ? undefined : nameOf(kind, found.httpStatus, text)
}

/** A status with its name: `401 Unauthorized`. */
export function statusName(status: number): string {
  const reason = REASONS[status]
  return reason === undefined ? `HTTP ${status}` : `${status} ${reason}`
}

function kindOf({ error, httpStatus, errorClass = classOf(error, httpStatus) }: FoundError): Kind | undefined {
  if (errorClass === null) return undefined
  const known = errorClass.startsWith('http_') ? STATUSES[httpStatus ?? 0] : undefined
  return known ?? CODES.find(([pattern]) => pattern.test(error ?? ''))?.[1] ?? errorClass
}

function nameOf(kind: Kind, httpStatus: number | null, text: Text): string {
  if (kind.startsWith('http_') && httpStatus !== null) return statusName(httpStatus)
  return text(`error.${kind}` satisfies MessageKey)
}
