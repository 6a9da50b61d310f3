import { Resolver } from 'node:dns'
import type { UrlPolicy } from '@keepsend/engine'
import { ENGINE_OPTION_NAMES } from '@keepsend/engine/internal'
import { type OptionNames, type WithDefaults, messageOf, withDefaults } from '@keepsend/outbox/internal'
import { NodeAdapterError, checkBounds, checkNames } from '../errors.ts'
import { type TlsMaterial, contextOf } from './secure-context.ts'

export interface UndiciSenderOptions {
  /**
   * Destinations to allow in addition to https to public addresses on ports 443 and 8443. The engine takes the policy from its
   * sender, so set it here only. A host in `allowHosts` is resolved by the system, including /etc/hosts.
   * @default {}
   */
  urlPolicy?: UrlPolicy | undefined
  /** Bound on look-up and connecting, including TLS, in ms: 100–60,000. The attempt's deadline applies as well. @default 10_000 */
  connectTimeoutMs?: number | undefined
  /** How long an idle connection stays open, in ms: 1–60,000. @default 4000, as long as most servers keep theirs */
  keepAliveMs?: number | undefined
  /** How long a connection takes requests, in ms: 100–570,000. Then a new one is made and checked. @default 540_000 */
  connectionLifeMs?: number | undefined
  /** Name servers, as `10.0.0.2` or `10.0.0.2:5353`. @default the system's */
  dnsServers?: readonly string[] | undefined
  /**
   * An http(s) proxy for all connections, for example `http://user:password@proxy.internal:3128`. It must then enforce the
   * address policy: it resolves the names, and the sender sees no address. URLs are still checked as written. Proxies in the
   * environment are ignored. @default none
   */
  egressProxy?: string | undefined
  /**
   * Whether the certificates of receivers and of the proxy are verified. The environment has no influence, not even
   * `NODE_TLS_REJECT_UNAUTHORIZED`. Use false in tests only. @default true
   */
  verifyCertificates?: boolean | undefined
  /** Authorities and a client certificate for every connection, in addition to those of an endpoint. @default none */
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

/** Each in PEM, as text or as the bytes of a file. `ca` and `cert` may contain several certificates. */
export interface SenderTls {
  /** Authorities in addition to Node's own: for receivers, token servers and the egress proxy. @default none */
  ca?: string | Uint8Array | undefined
  /**
   * The client certificate for receivers that ask for one; an endpoint's own has precedence, and the proxy gets none.
   * Requires `key`. @default none
   */
  cert?: string | Uint8Array | undefined
  /** Its private key, without a passphrase. Requires `cert`. @default none */
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

/** Validates the options and adds the defaults. @throws {NodeAdapterError} `invalid_option`, naming option, bound and value */
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

/** Undefined if no TLS material is given. */
function readTls(given: SenderTls = {}): TlsMaterial | undefined {
  const [ca, cert, key] = [given.ca, given.cert, given.key].map((one) =>
    one === undefined || typeof one === 'string' ? one : Buffer.from(one).toString('latin1'),
  )
  if ((cert === undefined) !== (key === undefined)) {
    throw new NodeAdapterError('invalid_option', 'tls.cert and tls.key belong together: give both')
  }
  if (ca === undefined && cert === undefined) return undefined
  if (ca !== undefined && !ca.includes('-----BEGIN CERTIFICATE-----')) {
    throw new NodeAdapterError('invalid_option', 'tls.ca must contain certificates in PEM')
  }
  const material = { cert, key, ca: ca === undefined ? [] : [ca] }
  try {
    contextOf(material)
  } catch (cause) {
    // The value is not shown: it may contain a key.
    throw new NodeAdapterError('invalid_option', `tls: ${messageOf(cause)}`, {
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
      `dnsServers must contain addresses such as 10.0.0.2 or 10.0.0.2:53; found ${JSON.stringify(servers)}`,
      { cause },
    )
  }
}

function checkProxy(proxy: string | undefined): void {
  if (proxy === undefined || /^https?:$/.test(URL.parse(proxy)?.protocol ?? '')) return
  // The value is not shown: it may contain a password.
  throw new NodeAdapterError('invalid_option', 'egressProxy must be a URL that begins with http:// or https://')
}
