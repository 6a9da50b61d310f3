import type { SendErrorClass } from '@keepsend/engine'

/** Patterns of the platform's messages for a failed `fetch`; the first match counts. There are no codes, and the texts may change. */
const FAMILIES: readonly [RegExp, SendErrorClass, string][] = [
  [/subrequest/i, 'sender_limit', 'this invocation of the Worker has made as many requests as its plan allows'],
  [/certificate/i, 'tls', 'its certificate was not accepted: check its chain, its dates and its host names'],
  [/\b(tls|ssl)\b/i, 'tls', 'the TLS handshake failed: check the TLS set-up of the receiver'],
  [/\bdns\b|host ?name/i, 'dns', 'no such host name, or its name servers did not answer: check its DNS records'],
  [/refused/i, 'connect', 'nothing listens at this host and port: check both, and that the receiver runs'],
  [
    /connect|network|reset/i,
    'network',
    'the receiver could not be reached, or closed the connection: check host, port and its log',
  ],
]

/**
 * Describes a failed `fetch`: its class, and a sentence of our own with the likely fix. Customers read it, so the platform's
 * message, which may contain addresses and references, is not shown.
 */
export function describeFailure(error: unknown): { reason: SendErrorClass; message: string } {
  const said = error instanceof Error ? error.message : ''
  const [, reason, message] = FAMILIES.find(([family]) => family.test(said)) ?? []
  return reason && message
    ? { reason, message }
    : { reason: 'network', message: 'the exchange with the receiver failed' }
}
