import { Resolver } from 'node:dns'
import type { UrlPolicy } from '@keepsend/engine'
import { ENGINE_OPTION_NAMES } from '@keepsend/engine/internal'
import { type OptionNames, type WithDefaults, withDefaults } from '@keepsend/outbox/internal'
import { NodeAdapterError, checkBounds, checkNames } from '../errors.ts'
import { type TlsMaterial, contextOf } from './secure-context.ts'

export interface UndiciSenderOptions {
  /**
   * What may be connected to, on top of https to public addresses on ports 443 and 8443. The engine takes it from its
   * sender: say it here, once. A host in `allowHosts` is resolved by the system, /etc/hosts included.
   * @default {}
   */
  urlPolicy?: UrlPolicy | undefined
  /** Bound on look-up and connecting, TLS included, in ms: 100–60,000. The attempt's deadline holds besides. @default 10_000 */
  connectTimeoutMs?: number | undefined
  /** How long an idle connection is kept, in ms: 1–60,000. @default 4000, what most servers keep theirs for */
  keepAliveMs?: number | undefined
  /** How long a connection takes requests, idle or not, in ms: 100–570,000. Then another is made and judged. @default 540_000 */
  connectionLifeMs?: number | undefined
  /** Name servers, as `10.0.0.2` or `10.0.0.2:5353`. @default the system's */
  dnsServers?: readonly string[] | undefined
  /**
   * An http(s) proxy that connects instead, e.g. `http://user:password@proxy.internal:3128`. It then owns the address
   * policy: names are resolved there, and nothing here sees an address. URLs are still judged as written. Proxies in
   * the environment are ignored. @default none
   */
  egressProxy?: string | undefined
  /**
   * Whether the certificates of receivers, and of the proxy, are verified. Nothing in the environment changes it,
   * `NODE_TLS_REJECT_UNAUTHORIZED` neither. False is for tests alone. @default true
   */
  verifyCertificates?: boolean | undefined
  /** Authorities and a client certificate for every connection, beside those of an endpoint. @default none */
  tls?: SenderTls | undefined
}

export const SENDER_OPTIONS = {
  connectTimeoutMs: 'number',
  keepAliveMs: 'number',
  connectionLifeMs: 'number',
  dnsServers: 'texts',
  egressProxy: 'text',
  verifyCertificates: 'boolean',
  tls: { ca: 'any', cert: 'any', key: 'any' } satisfies OptionNames<SenderTls>,
} satisfies OptionNames<Omit<UndiciSenderOptions, 'urlPolicy'>>

/** Each in PEM, as text or as the bytes of a file; of an authority and a certificate several may follow one another. */
export interface SenderTls {
  /**
   * Authorities besides those that Node has by itself: for receivers, token servers and the egress proxy. @default none
   */
  ca?: string | Uint8Array | undefined
  /**
   * The certificate that receivers are shown when they ask for one; an endpoint's own goes before it, and the proxy is shown
   * none. With `key`. @default none
   */
  cert?: string | Uint8Array | undefined
  /** Its private key, without a passphrase. With `cert`. @default none */
  key?: string | Uint8Array | undefined
}

export const UNDICI_SENDER_OPTIONS = {
  urlPolicy: ENGINE_OPTION_NAMES.urlPolicy,
  ...SENDER_OPTIONS,
} satisfies OptionNames<UndiciSenderOptions>

const DEFAULTS = {
  connectTimeoutMs: 10_000,
  keepAliveMs: 4000,
  connectionLifeMs: 540_000,
  verifyCertificates: true,
} satisfies Partial<UndiciSenderOptions>

/** The options as the sender goes by them. @throws {NodeAdapterError} `invalid_option`, naming option, bound and value */
export function readSenderOptions(
  options: UndiciSenderOptions,
): Omit<WithDefaults<UndiciSenderOptions, typeof DEFAULTS>, 'tls'> & { tls: TlsMaterial | undefined } {
  checkNames('createUndiciSender', UNDICI_SENDER_OPTIONS, options)
  const whole = withDefaults(options, DEFAULTS)
  checkBounds('connectTimeoutMs', whole.connectTimeoutMs, 100, 60_000)
  checkBounds('keepAliveMs', whole.keepAliveMs, 1, 60_000)
  // With the longest deadline of an attempt, 30 s, no connection is older than 10 minutes.
  checkBounds('connectionLifeMs', whole.connectionLifeMs, 100, 570_000)
  checkServers(whole.dnsServers)
  checkProxy(whole.egressProxy)
  return { ...whole, tls: readTls(whole.tls) }
}

/** Undefined where nothing is given. */
function readTls(given: SenderTls = {}): TlsMaterial | undefined {
  const [ca, cert, key] = [given.ca, given.cert, given.key].map((one) =>
    one === undefined || typeof one === 'string' ? one : Buffer.from(one).toString('latin1'),
  )
  if ((cert === undefined) !== (key === undefined)) {
    throw new NodeAdapterError('invalid_option', 'tls.cert and tls.key belong together: give both')
  }
  if (ca === undefined && cert === undefined) return undefined
  if (ca !== undefined && !ca.includes('-----BEGIN CERTIFICATE-----')) {
    throw new NodeAdapterError('invalid_option', 'tls.ca must hold certificates in PEM')
  }
  const material = { cert, key, ca: ca === undefined ? [] : [ca] }
  try {
    contextOf(material)
  } catch (cause) {
    // Nothing of what was found: it may hold a key.
    throw new NodeAdapterError('invalid_option', `tls: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
  return material
}

function checkServers(servers: readonly string[] | undefined): void {
  if (!servers) return
  try {
    if (servers.length === 0) throw new Error('none')
    new Resolver().setServers(servers)
  } catch (cause) {
    throw new NodeAdapterError(
      'invalid_option',
      `dnsServers must hold addresses such as 10.0.0.2 or 10.0.0.2:53; found ${JSON.stringify(servers)}`,
      { cause },
    )
  }
}

function checkProxy(proxy: string | undefined): void {
  if (proxy === undefined || /^https?:$/.test(URL.parse(proxy)?.protocol ?? '')) return
  // Not what was found: it may hold a password.
  throw new NodeAdapterError('invalid_option', 'egressProxy must be a URL that begins with http:// or https://')
}
