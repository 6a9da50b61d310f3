import { ATTEMPTS_EXHAUSTED, DELIVERY_UNCONFIRMED, EXPIRED } from '@keepsend/outbox/internal'

/** What an error of a delivery means, for the person who has to mend it. */
export interface ErrorExplanation {
  /** One sentence on what happened. */
  happened: string
  /** One sentence on what most likely mends it. */
  fix: string
}

/**
 * Every class that the error of a delivery can have: the word before the colon in `lastError`, or the hundred of an HTTP
 * status. The only list of them: the API, the log lines and `docs/errors.md` are made from it, and an error that has no
 * class here does not compile.
 */
export const ERROR_CLASSES = {
  timeout: {
    happened:
      'The receiver did not answer within the deadline of the attempt, in which it also has to be connected to.',
    fix: 'Answer as soon as the event is stored, and work on it afterwards; or raise the deadline of the endpoint.',
  },
  dns: {
    happened: 'The host name of the URL has no address, or its name servers did not answer.',
    fix: 'Check the spelling of the host and its DNS records.',
  },
  connect: {
    happened: 'No connection to the receiver could be made.',
    fix: 'Check that the receiver runs, that it listens at this host and port, and that its firewall lets the sender in.',
  },
  tls: {
    happened:
      'The TLS handshake failed: a certificate, of the receiver or of the endpoint, was not accepted, or none was sent.',
    fix: 'Check that the certificate of the receiver is valid for this host, is not expired, and is sent with its whole chain, and the tls of the endpoint, if it has one; TLS 1.2 or later is needed.',
  },
  network: {
    happened: 'The connection broke before the receiver had answered.',
    fix: 'Check the log of the receiver and of the proxies and load balancers before it.',
  },
  invalid_response: {
    happened: 'The answer of the receiver is not valid HTTP.',
    fix: 'Check what answers at this host and port, and what stands before it.',
  },
  blocked_address: {
    happened: 'The URL leads to an address that may not be sent to: a private, local or denied one.',
    fix: 'Give the endpoint a public address, or have the operator open this one in the URL policy.',
  },
  invalid_url: {
    happened: 'The URL of the endpoint is no URL.',
    fix: 'Set the URL of the endpoint again.',
  },
  scheme: {
    happened: 'The URL does not begin with https.',
    fix: 'Change the URL of the endpoint, or have the operator open http in the URL policy.',
  },
  credentials: {
    happened: 'The URL holds a user name or a password.',
    fix: 'Take them out of the URL; a header of the endpoint can hold what the receiver wants.',
  },
  port: {
    happened: 'The port of the URL may not be sent to.',
    fix: 'Let the receiver listen on 443 or 8443, or have the operator open its port in the URL policy.',
  },
  egress_proxy: {
    happened: 'The egress proxy of the sender made no connection to the receiver.',
    fix: 'The operator should check the proxy and its rules; the receiver was not reached.',
  },
  sender_limit: {
    happened: 'The sender had reached a limit of its own: open connections, or requests of one invocation.',
    fix: 'The operator should raise the limit, or send less at the same time; the receiver was not reached.',
  },
  auth: {
    happened: 'No access token for the endpoint was to be had: the token request failed.',
    fix: 'Check that the token server answers, and the token URL, client id and client secret of the endpoint.',
  },
  http_3xx: {
    happened: 'The receiver answered with a redirect, and redirects are not followed.',
    fix: 'If it is one, change the URL of the endpoint to where it leads.',
  },
  http_4xx: {
    happened: 'The receiver refused the request.',
    fix: 'Read what it answered, mend the receiver, and replay the delivery.',
  },
  http_5xx: {
    happened: 'The receiver failed while it worked on the request.',
    fix: 'Check the log of the receiver.',
  },
  endpoint_gone: {
    happened: 'The endpoint was deleted before the delivery was sent.',
    fix: 'Nothing to do; an endpoint made anew gets only new events.',
  },
  endpoint_lookup_failed: {
    happened: 'The database did not say what the endpoint is, so nothing was sent.',
    fix: 'The operator should check the database; the delivery is tried again by itself.',
  },
  secret_unreadable: {
    happened: 'A secret of the endpoint could not be decrypted, so nothing was sent.',
    fix: 'The operator should check that the key ring holds the key it was encrypted with, or rotate the secret.',
  },
  internal_error: {
    happened: 'The sender itself failed before the request reached the receiver.',
    fix: 'The operator should read the log of the sender; setting the endpoint again mends a row that was broken by hand.',
  },
  dead_letter: {
    happened: 'The queue gave up on the message of the delivery.',
    fix: 'The operator should read the log of the queue consumer; replay the delivery once its cause is gone.',
  },
  [EXPIRED]: {
    happened: 'The delivery was not settled within the time that a delivery has.',
    fix: 'See what held it up, a disabled endpoint for example, and replay it.',
  },
  [ATTEMPTS_EXHAUSTED]: {
    happened: 'No attempts are left.',
    fix: 'Mend the receiver and replay the delivery.',
  },
  [DELIVERY_UNCONFIRMED]: {
    happened: 'The worker died during the last attempt: the delivery may have arrived.',
    fix: 'Look whether the receiver has it; replay it if the receiver knows repeats by their webhook-id.',
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

/** A class that begins an error's text. */
type NamedClass = Exclude<ErrorClass, HttpClass | 'other'>

/** The text of a delivery's error: it begins with its class, or with the HTTP status. */
export type DeliveryError = NamedClass | `${NamedClass}: ${string}` | `HTTP ${number}` | `HTTP ${number}: ${string}`

/** Of a delivery whose endpoint was deleted. */
export const ENDPOINT_GONE: DeliveryError = 'endpoint_gone: the endpoint does not exist'

/** What single statuses say beyond their class. */
export const HTTP_EXPLANATIONS: Readonly<Record<number, ErrorExplanation>> = {
  400: {
    happened: 'The receiver could not read the request (400).',
    fix: 'Check that it verifies and parses the raw bytes of the body, with the right secret.',
  },
  401: {
    happened: 'The receiver wants other credentials (401).',
    fix: 'Check the signing secret that it verifies with, and the auth and the headers of the endpoint.',
  },
  403: {
    happened: 'The receiver, or a firewall before it, forbids the request (403).',
    fix: 'Let the sender through the firewall, and check the credentials in the headers of the endpoint.',
  },
  404: {
    happened: 'The receiver has nothing at this path (404).',
    fix: 'Check the path in the URL of the endpoint, and that the receiver is deployed.',
  },
  405: {
    happened: 'The receiver takes no POST at this path (405).',
    fix: 'Check the URL of the endpoint; webhooks are sent by POST.',
  },
  407: {
    happened: 'A proxy before the receiver wants credentials (407).',
    fix: 'Let the sender reach the receiver without that proxy.',
  },
  408: {
    happened: 'The receiver waited too long for the request (408).',
    fix: 'Check its load and its time-outs.',
  },
  409: {
    happened: 'The receiver says that the event conflicts with what it has (409).',
    fix: 'If it has the event already, let it answer 200 to a repeat; if it asks to come again, let it send Retry-After.',
  },
  410: {
    happened: 'The receiver says that the endpoint is gone for good (410), so the endpoint was disabled.',
    fix: 'Delete the endpoint, or enable it once the receiver is back.',
  },
  413: {
    happened: 'The body is larger than the receiver takes (413).',
    fix: 'Raise the limit of the receiver, to 256 KiB and some headers, and replay the delivery.',
  },
  415: {
    happened: 'The receiver does not take the content type of the request (415).',
    fix: 'Let it take application/json, or the type that the raw body of the event has.',
  },
  421: {
    happened: 'The server that answered is not the one for this host (421).',
    fix: 'Check the virtual hosts and the TLS set-up of the receiver.',
  },
  422: {
    happened: 'The receiver does not accept the content of the event (422).',
    fix: 'Compare what it expects with the payload of the event.',
  },
  425: {
    happened: 'The receiver does not want the request yet (425).',
    fix: 'Nothing, if it is rare; otherwise see why its TLS set-up counts the request as early data.',
  },
  429: {
    happened: 'The receiver has had too many requests (429), so the endpoint was paused.',
    fix: 'Nothing, if it is rare; otherwise give the endpoint a rate limit.',
  },
  502: {
    happened: 'A proxy got no valid answer from the receiver behind it (502).',
    fix: 'Check that the receiver behind the proxy runs.',
  },
  503: {
    happened: 'The receiver is overloaded or out of service (503).',
    fix: 'Check its load, or give the endpoint a rate limit.',
  },
  504: {
    happened: 'A proxy waited too long for the receiver behind it (504).',
    fix: 'Answer as soon as the event is stored, and work on it afterwards.',
  },
}

/**
 * The class of a delivery's error; null where there is none.
 *
 * @param lastStatus goes for a text that begins with no class, as somebody else may write one
 */
export function classOf(lastError: string | null, lastStatus: number | null = null): ErrorClass | null {
  if (lastError === null) return null
  const word = /^(\w+)(?::|$)/.exec(lastError)?.[1] ?? ''
  if (Object.hasOwn(ERROR_CLASSES, word)) return word as ErrorClass
  return httpClassOf(statusIn(lastError) ?? lastStatus)
}

/** What happened and what most likely mends it, two sentences; null where there is no error. */
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
  // A status beyond 599 is taken for one of the server (RFC 9110, section 15).
  const errorClass = `http_${Math.min(5, Math.floor((status ?? 0) / 100))}xx`
  return Object.hasOwn(ERROR_CLASSES, errorClass) ? (errorClass as HttpClass) : 'other'
}
