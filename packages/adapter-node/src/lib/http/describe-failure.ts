import type { SendErrorClass } from '@keepsend/engine'
import { ProxyFailed } from './proxy-tunnel.ts'

/** An error class with its sentence. */
type Known = readonly [errorClass: SendErrorClass, sentence: string]

const SENTENCES: Record<string, Known> = {
  ENOTFOUND: ['dns', 'no such host name: check its spelling and its DNS records'],
  ECONNREFUSED: ['connect', 'nothing listens at this host and port: check both, and that the receiver runs'],
  ECONNRESET: [
    'network',
    'the receiver closed the connection before it answered: check its log, and the proxies in front of it',
  ],
  ETIMEDOUT: ['connect', 'no connection was made in time: check that a firewall lets it in'],
  EHOSTUNREACH: ['connect', 'no route leads to the receiver: check its address and its firewall'],
  EMFILE: ['sender_limit', 'the sender has too many open connections'],
  CERT_HAS_EXPIRED: ['tls', 'its certificate has expired: renew it'],
  CERT_NOT_YET_VALID: ['tls', 'its certificate is not valid yet: check its dates'],
  CERT_REVOKED: ['tls', 'its certificate was revoked: get another'],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['tls', 'its certificate is self-signed: get one from a public authority'],
  SELF_SIGNED_CERT_IN_CHAIN: [
    'tls',
    'its certificate chain ends in a private authority: get a certificate from a public one',
  ],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [
    'tls',
    'its certificate chain is incomplete, or its authority is unknown: send the intermediate certificates too',
  ],
  ERR_TLS_CERT_ALTNAME_INVALID: ['tls', 'its certificate is for other host names: get one for this host'],
  UND_ERR_HEADERS_OVERFLOW: ['invalid_response', 'the headers of its response are too large'],
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: ['invalid_response', 'its response does not have the length that it states'],
  UND_ERR_DESTROYED: ['network', 'the sender was closed'],
}

/** Codes that share the sentence of another. */
const SAME: Record<string, keyof typeof SENTENCES> = {
  EPIPE: 'ECONNRESET',
  UND_ERR_SOCKET: 'ECONNRESET',
  UND_ERR_CONNECT_TIMEOUT: 'ETIMEDOUT',
  EADDRNOTAVAIL: 'EHOSTUNREACH',
  EHOSTDOWN: 'EHOSTUNREACH',
  ENETDOWN: 'EHOSTUNREACH',
  ENETUNREACH: 'EHOSTUNREACH',
  ENFILE: 'EMFILE',
  UNABLE_TO_GET_ISSUER_CERT: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  HPE_HEADER_OVERFLOW: 'UND_ERR_HEADERS_OVERFLOW',
  UND_ERR_CLOSED: 'UND_ERR_DESTROYED',
}

/** Patterns of codes, because OpenSSL alone has hundreds. The first match counts. */
const FAMILIES: readonly [RegExp, ...Known][] = [
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH|HTTP_REQUEST/,
    'tls',
    'the port does not speak TLS: check the port and the scheme',
  ],
  [/UNRECOGNIZED_NAME/, 'tls', 'the server knows no such host name: check its TLS set-up for this name'],
  [
    /CERTIFICATE_REQUIRED/,
    'tls',
    'the server wants a client certificate: give the endpoint one as tls.cert and tls.key',
  ],
  [
    /ALERT_(UNKNOWN_CA|ACCESS_DENIED|DECRYPT_ERROR|(BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_(REVOKED|EXPIRED|UNKNOWN))/,
    'tls',
    'the server did not accept the client certificate: check that it knows its authority, and its dates',
  ],
  [
    /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|HANDSHAKE_FAILURE|CIPHER|TOO_SMALL/,
    'tls',
    'the server has no version of TLS, cipher or key in common with the sender, or wants a client certificate: TLS 1.2 or later is needed',
  ],
  [/^ERR_SSL_|^ERR_TLS_|^EPROTO/, 'tls', 'the TLS handshake failed: check the TLS set-up of the receiver'],
  [
    /^CERT_|^UNABLE_TO_|^INVALID_CA|^PATH_LENGTH|CERT/,
    'tls',
    'its certificate was not accepted: check its chain and its dates',
  ],
  [/^HPE_/, 'invalid_response', 'its response is not valid HTTP/1.1'],
]

const NAME_SERVERS: Known = ['dns', 'the name servers of this host name did not answer: check its DNS records']
const UNKNOWN: Known = ['network', 'the exchange with the receiver failed']

/**
 * Describes an error that ended an exchange without a response: its class, its code, and a sentence of our own with the likely
 * fix. Customers read it, so texts of libraries, which contain addresses and OpenSSL internals, are not shown.
 */
export function describeFailure(error: unknown): { reason: SendErrorClass; message: string } {
  if (error instanceof ProxyFailed) return { reason: 'egress_proxy', message: error.message }
  const code = codeOf(error)
  const [reason, sentence] = isOfNameServers(error, code)
    ? NAME_SERVERS
    : (SENTENCES[SAME[code] ?? code] ?? familyOf(detailOf(error, code)) ?? UNKNOWN)
  return { reason, message: `${code} ${sentence}`.trim() }
}

function familyOf(detail: string): Known | undefined {
  const [, ...known] = FAMILIES.find(([family]) => family.test(detail)) ?? []
  return known.length === 2 ? known : undefined
}

/** Empty if the error has no code. */
function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : ''
  // Some codes of OpenSSL 3.5 contain a slash: ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE.
  const plain = typeof code === 'string' ? code.replace('SSL/TLS_', '') : ''
  return /^[A-Z][A-Z0-9_]{1,63}$/.test(plain) ? plain : ''
}

/** Node reports `EPROTO` for many OpenSSL errors; their names are in the message. */
function detailOf(error: unknown, code: string): string {
  return code === 'EPROTO' && error instanceof Error
    ? `${code} ${error.message.toUpperCase().replaceAll(' ', '_')}`
    : code
}

/** Any error of a look-up except "no such name". */
function isOfNameServers(error: unknown, code: string): boolean {
  if (!(error instanceof Error) || code === 'ENOTFOUND') return false
  const call: unknown = 'syscall' in error ? error.syscall : undefined
  return code === 'ETIMEOUT' || code === 'EAI_AGAIN' || (typeof call === 'string' && /^query|^getaddrinfo/.test(call))
}
