import type { UrlPolicy } from './url-policy/check-url.ts'
import type { EndpointTls } from './credentials.ts'
import type { ErrorClass } from './error-classes.ts'

/** One HTTP POST, to the last detail. */
export interface SendRequest {
  url: string
  /** Lower-case names. */
  headers: Record<string, string>
  body: string
  /** One bound on everything: name look-up, connecting, headers and body. In ms. */
  deadlineMs: number
  /** Bytes of the response to keep; what follows is not read. */
  maxResponseBytes: number
  /**
   * The body of a 2xx is what is asked for, and waited for until the deadline. @default false: its head is enough, and the
   * rest has a second
   */
  needsBody?: boolean | undefined
  /** What the connection is made with, and no connection of another's. Only for a sender that says it can. @default nothing */
  tls?: EndpointTls | undefined
  /**
   * Set by an engine with `development`: the connection may lead to the loopback interface, by http and on any port, beside
   * what the policy of the sender opens. A sender that judges connections opens nothing else for it. @default false
   */
  allowLoopback?: boolean | undefined
}

/** What came back. A receiver's fault is a value; a sender throws only when it is broken itself. */
export type SendResult =
  | {
      kind: 'response'
      /** As received, whatever the number. */
      status: number
      /** The value of a response header, by lower-case name; of several, with a comma between them. */
      header(name: string): string | undefined
      /** At most `maxResponseBytes`, as received: never decompressed. */
      body: Uint8Array
    }
  | {
      kind: 'error'
      /** `network` is what has no class of its own; see {@link ERROR_CLASSES}. */
      reason: SendErrorClass
      /** One line with the likely fix, without an address: a customer reads it. */
      message: string
      /** Of an answer that broke off within its head, which is none. */
      status?: number | undefined
    }

/** Classes of an exchange that ended without an answer. */
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
 * Makes one POST, follows no redirect, decodes nothing, and ends within the deadline and half a second. The deadline
 * begins when the request begins, not while it waits for a free slot. Closed by whoever made it.
 */
export interface Sender {
  /**
   * What its connections are held to. An engine that is given no policy takes this one for the URL stage, so that the
   * policy is said once; one that is given another refuses to start.
   */
  readonly urlPolicy?: UrlPolicy | undefined
  /** What it can do besides. `tls`: client certificates and private authorities of endpoints. @default nothing */
  readonly supports?: { readonly tls?: boolean | undefined } | undefined
  send(request: SendRequest): Promise<SendResult>
}

/** 64 KiB: enough for any error page worth reading. */
export const MAX_RESPONSE_BYTES = 65_536

/** 15 s: Standard Webhooks asks senders to wait 15 to 30. */
export const DEFAULT_DEADLINE_MS = 15_000
