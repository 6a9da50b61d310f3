import type { UrlPolicy } from './url-policy/check-url.ts'
import type { EndpointTls } from './credentials.ts'
import type { ErrorClass } from './error-classes.ts'

/** One HTTP POST, completely specified. */
export interface SendRequest {
  url: string
  /** Lower-case names. */
  headers: Record<string, string>
  body: string
  /** One bound on all steps: name look-up, connecting, headers and body. In ms. */
  deadlineMs: number
  /** Bytes of the response body to read at most. */
  maxResponseBytes: number
  /**
   * Whether the caller needs the body of a 2xx: then it has until the deadline. @default false: the head is enough, and the
   * body gets one more second
   */
  needsBody?: boolean | undefined
  /**
   * Certificates and authorities for this connection, which must not be shared with other endpoints. Only for a sender that
   * `supports` it. @default nothing
   */
  tls?: EndpointTls | undefined
  /**
   * Set by an engine with `development`: the connection may lead to the loopback interface, by http and on any port, in
   * addition to what the policy of the sender allows. It changes no other check of the sender. @default false
   */
  allowLoopback?: boolean | undefined
}

/** The result of a request. A fault of the receiver is a value; a sender throws only for its own defects. */
export type SendResult =
  | {
      kind: 'response'
      /** As received, whatever the number. */
      status: number
      /** The value of a response header, by lower-case name; several values are joined with a comma. */
      header(name: string): string | undefined
      /** All response headers, by lower-case name, for the history. @default none is recorded */
      headers?(): Record<string, string>
      /** At most `maxResponseBytes`, as received: never decompressed. */
      body: Uint8Array
      timing?: SendTiming | undefined
    }
  | {
      kind: 'error'
      /** `network` if no other class fits; see {@link ERROR_CLASSES}. */
      reason: SendErrorClass
      /** One line with the likely fix, without any IP address: a customer reads it. */
      message: string
      /** The status of an answer that broke off within its head. */
      status?: number | undefined
    }

/** The times of an exchange, in ms; undefined for a step that there was not, or that a sender cannot see. */
export interface SendTiming {
  /** How long the look-up of the name took. */
  dnsMs?: number | undefined
  /** How long the TLS handshake took. */
  tlsMs?: number | undefined
  /** From the start until there was a connection: near 0 if one was open. */
  connectMs?: number | undefined
  /** From the start until the head of the response. */
  firstByteMs?: number | undefined
}

/** The classes of an exchange without an answer. */
export type SendErrorClass = Extract<
  ErrorClass,
  | 'timeout'
  | 'dns'
  | 'connect'
  | 'tls'
  | 'network'
  | 'invalid_response'
  | 'blocked_address'
  | 'egress_proxy'
  | 'sender_limit'
>

/**
 * Makes POST requests. A sender follows no redirect, decodes nothing, and ends each request within its deadline and half a
 * second. The deadline begins when the request begins, not while it waits for a free slot. The code that created a sender
 * closes it; the engine does not.
 */
export interface Sender {
  /**
   * The policy that it checks connections with. An engine without a `urlPolicy` uses this one to check URLs; an engine with a
   * different one throws when it is created.
   */
  readonly urlPolicy?: UrlPolicy | undefined
  /** Optional features. `tls`: client certificates and private authorities of endpoints. @default none */
  readonly supports?: { readonly tls?: boolean | undefined } | undefined
  send(request: SendRequest): Promise<SendResult>
}

/** Bytes read of a response: 64 KiB, enough for an error page. */
export const MAX_RESPONSE_BYTES = 65_536

/** The default deadline of an attempt: 15 s. Standard Webhooks recommends 15 to 30. */
export const DEFAULT_DEADLINE_MS = 15_000
