import { Resolver } from 'node:dns'
import type { UrlPolicy } from '@keepsend/engine'
import { type WithDefaults, withDefaults } from '@keepsend/outbox'
import { AdapterError, checkBounds } from './errors.ts'
import { checkOptions } from './option-names.ts'

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
}

const DEFAULTS = {
  connectTimeoutMs: 10_000,
  keepAliveMs: 4000,
  connectionLifeMs: 540_000,
  verifyCertificates: true,
} satisfies Partial<UndiciSenderOptions>

/** The options as the sender goes by them. @throws {AdapterError} `invalid_option`, naming option, bound and value */
export function readSenderOptions(options: UndiciSenderOptions): WithDefaults<UndiciSenderOptions, typeof DEFAULTS> {
  checkOptions('createUndiciSender', options)
  const whole = withDefaults(options, DEFAULTS)
  const { verifyCertificates } = whole
  checkBounds('connectTimeoutMs', whole.connectTimeoutMs, 100, 60_000)
  checkBounds('keepAliveMs', whole.keepAliveMs, 1, 60_000)
  // With the longest deadline of an attempt, 30 s, no connection is older than 10 minutes.
  checkBounds('connectionLifeMs', whole.connectionLifeMs, 100, 570_000)
  checkServers(whole.dnsServers)
  checkProxy(whole.egressProxy)
  if (typeof verifyCertificates !== 'boolean') {
    throw new AdapterError(
      'invalid_option',
      `verifyCertificates must be true or false; found ${String(verifyCertificates)}`,
    )
  }
  return whole
}

function checkServers(servers: readonly string[] | undefined): void {
  if (!servers) return
  try {
    if (servers.length === 0) throw new Error('none')
    new Resolver().setServers(servers)
  } catch (cause) {
    throw new AdapterError(
      'invalid_option',
      `dnsServers must hold addresses such as 10.0.0.2 or 10.0.0.2:53; found ${JSON.stringify(servers)}`,
      { cause },
    )
  }
}

function checkProxy(proxy: string | undefined): void {
  if (proxy === undefined || /^https?:$/.test(URL.parse(proxy)?.protocol ?? '')) return
  // Not what was found: it may hold a password.
  throw new AdapterError('invalid_option', 'egressProxy must be a URL that begins with http:// or https://')
}
