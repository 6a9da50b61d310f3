import { ATTEMPTS_EXHAUSTED, CANCELLED, DELIVERY_UNCONFIRMED, EXPIRED, GIVEN_UP } from '@keepsend/outbox/internal'
import { type ErrorExplanation, HTTP_EXPLANATIONS } from './http-explanations.ts'

/**
 * Every class of delivery errors, with its explanation. The class is the word before the colon in `lastError`, or the first
 * digit of an HTTP status. This is the only list: the API and the log lines use it, a test compares `docs/errors.md` with it,
 * and an error without a class here does not compile.
 */
export const ERROR_CLASSES = {
  timeout: {
    happened: 'The receiver did not answer within the deadline of the attempt, which includes the time to connect.',
    fix: 'Answer as soon as the event is stored, and process it afterwards; or raise the deadline of the endpoint.',
  },
  dns: {
    happened: 'The host name of the URL has no address, or its name servers did not answer.',
    fix: 'Check the spelling of the host and its DNS records.',
  },
  connect: {
    happened: 'The connection to the receiver failed.',
    fix: 'Check that the receiver runs, listens on this host and port, and that its firewall accepts the sender.',
  },
  tls: {
    happened:
      'The TLS handshake failed: a certificate of the receiver or of the endpoint was missing or was not accepted.',
    fix: 'Check that the certificate of the receiver is valid for this host, is not expired, and is sent with its whole chain; if a private authority issued it, set tls.ca of the endpoint; if the receiver asks for a client certificate, check tls.cert and tls.key; TLS 1.2 or later is required.',
  },
  network: {
    happened: 'The connection broke before the receiver answered.',
    fix: 'Check the logs of the receiver and of the proxies and load balancers in front of it.',
  },
  invalid_response: {
    happened: 'The answer of the receiver is not valid HTTP.',
    fix: 'Check which server answers on this host and port, and any proxy in front of it.',
  },
  blocked_address: {
    happened: 'The URL leads to an address that is not allowed: a private, local or denied one.',
    fix: 'Give the receiver a public address, or ask the operator to allow this one in the URL policy.',
  },
  invalid_url: {
    happened: 'The URL of the endpoint is not a valid URL.',
    fix: 'Correct the URL of the endpoint.',
  },
  scheme: {
    happened: 'The URL does not begin with https.',
    fix: 'Change the URL of the endpoint, or ask the operator to allow http in the URL policy, or for local work `development: true`.',
  },
  credentials: {
    happened: 'The URL contains a user name or a password.',
    fix: 'Remove them from the URL, and set the auth of the endpoint instead.',
  },
  port: {
    happened: 'The port of the URL is not allowed.',
    fix: 'Let the receiver listen on 443 or 8443, or ask the operator to allow its port in the URL policy, or for local work `development: true`.',
  },
  egress_proxy: {
    happened: 'The egress proxy of the sender did not connect to the receiver.',
    fix: 'The operator should check the proxy and its rules; the receiver was not reached.',
  },
  sender_limit: {
    happened: 'The sender reached one of its own limits: open connections, or requests of one invocation.',
    fix: 'The operator should raise the limit, or lower the concurrency; the receiver was not reached.',
  },
  auth: {
    happened: 'The request for an access token of the endpoint failed, so nothing was sent.',
    fix: 'Check that the token server answers, and the token URL, client id and client secret of the endpoint.',
  },
  http_3xx: {
    happened: 'The receiver answered with a redirect, and redirects are not followed.',
    fix: 'Change the URL of the endpoint to the target of the redirect.',
  },
  http_4xx: {
    happened: 'The receiver refused the request.',
    fix: 'Read its answer, fix the receiver, and replay the delivery.',
  },
  http_5xx: {
    happened: 'The receiver failed while it processed the request.',
    fix: 'Check the log of the receiver.',
  },
  endpoint_gone: {
    happened: 'The endpoint was deleted before the delivery was sent.',
    fix: 'Nothing to do; a new endpoint receives only new events.',
  },
  endpoint_lookup_failed: {
    happened: 'The endpoint could not be read from the database, so nothing was sent.',
    fix: 'The operator should check the database; the delivery is retried automatically.',
  },
  secret_unreadable: {
    happened: 'A secret of the endpoint could not be decrypted, so nothing was sent.',
    fix: 'The operator should check that the key ring contains the key it was encrypted with, or rotate the secret.',
  },
  conversion_failed: {
    happened: 'The event could not be converted to the version of the endpoint, so nothing was sent.',
    fix: 'The operator should read the log of the sender, and correct the converter in the catalog; the delivery is retried automatically.',
  },
  internal_error: {
    happened: 'The sender failed unexpectedly; the request may not have reached the receiver.',
    fix: 'The operator should read the log of the sender; if the row of the endpoint was damaged by hand, setting the endpoint again repairs it.',
  },
  dead_letter: {
    happened: 'The queue gave up on the message of the delivery.',
    fix: 'The operator should read the log of the queue consumer; replay the delivery once its cause is gone.',
  },
  [EXPIRED]: {
    happened: 'The delivery was older than maxAgeMs, or past the expiresAt of its event, before it succeeded.',
    fix: 'Find the cause of the delay, for example a disabled endpoint, and replay the delivery if it is still wanted.',
  },
  [CANCELLED]: {
    happened: 'The event was cancelled before the first attempt of the delivery.',
    fix: 'Nothing to do; a replay of the delivery sends it nevertheless.',
  },
  [GIVEN_UP]: {
    happened: 'A person gave the delivery up before it succeeded.',
    fix: 'Nothing to do; replay the delivery if it should be sent after all.',
  },
  [ATTEMPTS_EXHAUSTED]: {
    happened: 'No attempts are left.',
    fix: 'Fix the receiver and replay the delivery.',
  },
  [DELIVERY_UNCONFIRMED]: {
    happened:
      'The worker died during the last attempt, after 3 crashes that did not count: the delivery may have arrived.',
    fix: 'Check whether the receiver has it; replay it if not, or if the receiver deduplicates by webhook-id.',
  },
  other: {
    happened: 'The error was written by something other than Keepsend.',
    fix: 'Read its text.',
  },
} as const satisfies Record<string, ErrorExplanation>

/** See {@link ERROR_CLASSES}. */
export type ErrorClass = keyof typeof ERROR_CLASSES

export const ERROR_CLASS_NAMES = Object.keys(ERROR_CLASSES) as ErrorClass[]
type HttpClass = 'http_3xx' | 'http_4xx' | 'http_5xx'

/** The classes that an error's text begins with. */
type NamedClass = Exclude<ErrorClass, HttpClass | 'other'>

/** The text of a delivery's error. It begins with its class, or with the HTTP status. */
export type DeliveryError = NamedClass | `${NamedClass}: ${string}` | `HTTP ${number}` | `HTTP ${number}: ${string}`

/** The error of a delivery whose endpoint was deleted. */
export const ENDPOINT_GONE: DeliveryError = 'endpoint_gone: the endpoint does not exist'

/**
 * The class of a delivery's error; null if there is no error.
 *
 * @param lastStatus is used if the text begins with neither a class nor a status, such as a text that another program wrote
 */
export function classOf(lastError: string | null, lastStatus: number | null = null): ErrorClass | null {
  if (lastError === null) return null
  const word = /^(\w+)(?::|$)/.exec(lastError)?.[1] ?? ''
  if (Object.hasOwn(ERROR_CLASSES, word)) return word as ErrorClass
  return httpClassOf(statusIn(lastError) ?? lastStatus)
}

/** Explains a delivery's error in two sentences: what happened, and the most likely fix. Null if there is no error. */
export function explanationOf(lastError: string | null, lastStatus: number | null = null): string | null {
  const errorClass = classOf(lastError, lastStatus)
  if (lastError === null || errorClass === null) return null
  const status = errorClass.startsWith('http_') ? (statusIn(lastError) ?? lastStatus) : null
  const { happened, fix } = HTTP_EXPLANATIONS[status ?? 0] ?? ERROR_CLASSES[errorClass]
  return `${happened} ${fix}`
}

function statusIn(lastError: string): number | null {
  const status = /^HTTP (\d{3})\b/.exec(lastError)?.[1]
  return status === undefined ? null : Number(status)
}

function httpClassOf(status: number | null): ErrorClass {
  // A status beyond 599 is treated as a server error (RFC 9110, section 15).
  const errorClass = `http_${Math.min(5, Math.floor((status ?? 0) / 100))}xx`
  return Object.hasOwn(ERROR_CLASSES, errorClass) ? (errorClass as HttpClass) : 'other'
}
