/** What the platform says of a failed `fetch`, by the first that fits. It gives no codes, and its texts are its own affair. */
const FAMILIES: readonly [RegExp, string][] = [
  [/subrequest/i, 'this invocation of the Worker has made as many requests as its plan allows'],
  [/certificate/i, 'its certificate was not accepted: check its chain, its dates and its host names'],
  [/\b(tls|ssl)\b/i, 'the TLS handshake failed: check the TLS set-up of the receiver'],
  [/\bdns\b|host ?name/i, 'no such host name, or its name servers did not answer: check its DNS records'],
  [/refused/i, 'nothing listens at this host and port: check both, and that the receiver runs'],
  [
    /connect|network|reset/i,
    'the receiver could not be reached, or closed the connection: check host, port and its log',
  ],
]

/** A sentence of ours with the likely fix: a customer reads it, and the platform's own may hold addresses and references. */
export function describeFailure(error: unknown): string {
  const said = error instanceof Error ? error.message : ''
  return FAMILIES.find(([family]) => family.test(said))?.[1] ?? 'the exchange with the receiver failed'
}
