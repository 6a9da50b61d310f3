import type { EndpointTls, ShownTls } from '../credentials.ts'
import { type OptionNames, createOptionChecks } from '@keepsend/outbox/internal'
import { fromBase64, toHex } from '../formats/encoding.ts'
import { EngineError } from '../errors.ts'

export const MAX_PEM = { cert: 16_384, key: 16_384, ca: 32_768 }
const MAX_CERTIFICATES = 10

const NAMES = { cert: 'text', key: 'text', ca: 'text' } satisfies OptionNames<EndpointTls>

const { checkNames } = createOptionChecks(invalid)

/**
 * Validates the parts and returns them as plain PEM, without surrounding text. Whether a key belongs to its certificate is
 * checked by the sender.
 *
 * @throws {EngineError} `invalid_endpoint`, quoting no part
 */
export function checkTls(tls: EndpointTls): EndpointTls {
  checkNames('an endpoint', { tls: NAMES }, { tls })
  const { cert, key, ca } = tls
  if ((cert === undefined) !== (key === undefined)) throw invalid('tls.cert and tls.key belong together: give both')
  if (cert === undefined && ca === undefined) throw invalid('tls must have cert and key, or ca, or all three')
  return {
    ...(cert !== undefined && { cert: certificatesIn('cert', cert).join('') }),
    ...(key !== undefined && { key: keyIn(key) }),
    ...(ca !== undefined && { ca: certificatesIn('ca', ca).join('') }),
  }
}

/** @param tls as {@link checkTls} returns it */
export async function shownTls({ cert, ca }: EndpointTls): Promise<ShownTls> {
  const fingerprints = (pem = ''): Promise<string[]> => Promise.all(blocksIn(pem).map(({ der }) => fingerprint(der)))
  const [certFingerprint = null] = await fingerprints(cert)
  return { certFingerprint, caFingerprints: await fingerprints(ca) }
}

async function fingerprint(der: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', der)))
  return hash.toUpperCase().replace(/..(?=.)/g, '$&:')
}

function certificatesIn(name: 'cert' | 'ca', text: string): string[] {
  const blocks = read(name, text).filter(({ label }) => label === 'CERTIFICATE')
  if (blocks.length === 0 || blocks.length > MAX_CERTIFICATES || !blocks.every(({ der }) => isSequence(der))) {
    throw invalid(
      `tls.${name} must hold 1 to ${MAX_CERTIFICATES} certificates in PEM: -----BEGIN CERTIFICATE-----, base64, -----END CERTIFICATE-----`,
    )
  }
  return blocks.map(({ pem }) => pem)
}

function keyIn(text: string): string {
  const keys = read('key', text).filter(({ label }) => label.endsWith('PRIVATE KEY'))
  const [key] = keys
  // The older PEM form has a header line that says it is encrypted.
  if (key?.label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    throw invalid('tls.key has a passphrase: remove it with openssl pkey; Keepsend encrypts the key at rest')
  }
  if (!key || keys.length > 1 || !/^((RSA|EC) )?PRIVATE KEY$/.test(key.label) || !isSequence(key.der)) {
    throw invalid(
      'tls.key must hold one private key in PEM: -----BEGIN PRIVATE KEY-----, base64, -----END PRIVATE KEY-----',
    )
  }
  return key.pem
}

interface Block {
  label: string
  pem: string
  der: Uint8Array<ArrayBuffer>
}

function read(name: keyof typeof MAX_PEM, text: unknown): Block[] {
  if (typeof text !== 'string' || text.length > MAX_PEM[name]) {
    throw invalid(`tls.${name} must be text of at most ${MAX_PEM[name]} characters`)
  }
  return blocksIn(text)
}

const BLOCK = /-----BEGIN ([A-Z ]{1,40})-----([^-]*)-----END \1-----/g

/** RFC 7468: base64 blocks with any text between them. */
function blocksIn(text: string): Block[] {
  return Array.from(text.matchAll(BLOCK), ([, label = '', body = '']) => {
    const base64 = body.replace(/\s+/g, '')
    const lines = base64.match(/.{1,64}/g) ?? []
    const pem = `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
    return { label, pem, der: fromBase64(base64) ?? new Uint8Array() }
  })
}

/** Whether the bytes are exactly one DER sequence; a truncated block is not. */
function isSequence(der: Uint8Array): boolean {
  const [tag, first = 0] = der
  if (tag !== 0x30) return false
  if (first < 0x80) return der.length === 2 + first
  const lengthBytes = der.subarray(2, 2 + (first & 0x7f))
  return der.length === 2 + lengthBytes.length + lengthBytes.reduce((sum, byte) => sum * 256 + byte, 0)
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_endpoint', message)
}
