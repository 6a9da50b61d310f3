import type { OptionNames } from '@keepsend/outbox/internal'
import { type Cidr, isAddress, isLoopbackAddress, isPublicAddress, isWithin, parseCidr, rangeOf } from './address.ts'
import { EngineError, checkNames } from '../errors.ts'
import { characters } from '../formats/characters.ts'

/** Which URLs endpoints may have: by default https to public addresses on ports 443 and 8443. */
export interface UrlPolicy {
  /** Also allows http, and then port 80. @default false */
  allowHttp?: boolean | undefined
  /** Names and addresses that are allowed whatever they are or resolve to, such as `hooks.internal`. @default [] */
  allowHosts?: readonly string[] | undefined
  /** Ranges that are allowed although they are not public, such as `10.1.0.0/16`. @default [] */
  allowCidrs?: readonly string[] | undefined
  /**
   * Names, addresses and ranges that are refused even if another option allows them. Put your own app here, so that no
   * delivery comes back to it as a request. A leading star matches anything: `*.example.com`. An address or a range
   * (`203.0.114.7`, `203.0.114.0/24`) is refused in every spelling; on Node, so is each name that resolves to it.
   *
   * @default []
   */
  denyHosts?: readonly string[] | undefined
  /** Allowed ports. @default [443, 8443], and 80 with `allowHttp` */
  allowPorts?: readonly number[] | 'any' | undefined
}

export const URL_POLICY_OPTIONS = {
  allowHttp: 'boolean',
  allowHosts: 'texts',
  allowCidrs: 'texts',
  denyHosts: 'texts',
  allowPorts: 'any',
} satisfies OptionNames<UrlPolicy>

/** The part of `development` that opens URLs beside the policy. */
export interface CheckUrlOptions {
  /**
   * http and https to any port of the loopback interface: `localhost`, 127.0.0.0/8, `[::1]`. `denyHosts` still refuses.
   * @default false
   */
  allowLoopback?: boolean | undefined
}

export const CHECK_URL_OPTIONS = { allowLoopback: 'boolean' } satisfies OptionNames<CheckUrlOptions>

/** Why a URL is refused: a stable word, and a sentence for its author. The sentence names no address. */
export interface UrlRefusal {
  reason: 'invalid_url' | 'scheme' | 'credentials' | 'port' | 'blocked_address'
  message: string
}

/**
 * `url` is the parsed form: use only this one. `host` tells the connector which checks remain: for a `name`, each address
 * that it resolves to; for an `address`, none, it was checked here; for a host that the operator `opened` by name, none.
 * A `loopback` host, which only `allowLoopback` admits, is connected to on the loopback interface and nowhere else.
 */
export type UrlCheck =
  | { ok: true; url: URL; host: 'name' | 'address' | 'opened' | 'loopback' }
  | ({ ok: false } & UrlRefusal)

/** Checks the URL of an endpoint against the policy: at creation, at every change, and before every attempt. */
export type CheckUrl = (text: string) => UrlCheck

export const MAX_URL_LENGTH = 2048

// Names that public resolvers should not answer, or that mean this machine or its network.
const RESERVED_SUFFIXES = [
  'localhost',
  'local',
  'internal',
  'home.arpa',
  'lan',
  'corp',
  'home',
  'intranet',
  'private',
  'onion',
  'invalid',
  'test',
  'example',
  'svc',
  'in-addr.arpa',
  'ip6.arpa',
  'arpa',
]

/**
 * Creates the check of URLs. Parsing normalises decimal, octal, hex, short, percent-encoded and full-width spellings of an
 * address, and the check sees the normalised form. The addresses of a name are checked by the connector when it connects.
 */
export function createCheckUrl(policy: UrlPolicy = {}, options: CheckUrlOptions = {}): CheckUrl {
  checkNames('createCheckUrl', URL_POLICY_OPTIONS, policy)
  checkNames('the options of createCheckUrl', CHECK_URL_OPTIONS, options)
  const { allowLoopback = false } = options
  const { allowHttp = false, allowHosts = [], allowCidrs = [], denyHosts = [] } = policy
  const allowPorts = policy.allowPorts ?? (allowHttp ? [80, 443, 8443] : [443, 8443])
  const hosts = new Set(allowHosts.map((host) => canonicalHost('allowHosts', host)))
  const isDenied = matcherOf(denyHosts.filter((host) => !isRange(host)).map((host) => canonicalHost('denyHosts', host)))
  const denied = deniedRanges(policy)
  const cidrs = allowCidrs.map((text) => readCidr('allowCidrs', text))
  const http = allowHttp ? ' or http://' : allowLoopback ? ', or http:// on a loopback address' : ''

  return (text) => {
    // The parser silently drops tabs and newlines: a URL that contains one is not what it looks like.
    const isText =
      text.length <= 2 * MAX_URL_LENGTH &&
      characters(text) <= MAX_URL_LENGTH &&
      text.isWellFormed() &&
      // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
      !/[\u0000-\u001f\u007f]/.test(text)
    if (!isText || !URL.canParse(text)) {
      return refuse('invalid_url', `url must be an absolute URL of at most ${MAX_URL_LENGTH} characters`)
    }
    const url = new URL(text)
    encodeInvalid(url)
    const host = url.hostname.replace(/\.$/, '')
    const isLoopback = allowLoopback && (host === 'localhost' || isLoopbackAddress(host))
    if (url.protocol !== 'https:' && !((allowHttp || isLoopback) && url.protocol === 'http:')) {
      return refuse('scheme', `url must begin with https://${http}; found ${url.protocol}//`)
    }
    if (url.username !== '' || url.password !== '') {
      return refuse('credentials', 'url must not contain a user name or a password')
    }
    const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
    if (!isLoopback && allowPorts !== 'any' && !allowPorts.includes(port)) {
      return refuse('port', `port ${port} is not allowed; allowed: ${allowPorts.join(', ')}`)
    }
    if (isDenied(host) || isWithin(host, denied)) return refuse('blocked_address', 'address not allowed')
    // Before what the policy opens: development opens no other interface, whatever the system says of `localhost`.
    if (isLoopback) return { ok: true, url, host: 'loopback' }
    if (hosts.has(host)) return { ok: true, url, host: 'opened' }
    const kind = isAddress(host) ? 'address' : 'name'
    const allowed = kind === 'address' ? isPublicAddress(host, cidrs) : isPublicName(host)
    return allowed ? { ok: true, url, host: kind } : refuse('blocked_address', 'address not allowed')
  }
}

/**
 * Percent-encodes characters that the parser accepts although RFC 3986 allows them nowhere in a path or a query: strict
 * servers answer 400. The meaning of the URL stays the same.
 */
function encodeInvalid(url: URL): void {
  if (!INVALID.test(url.pathname + url.search)) return
  const encode = (part: string): string =>
    part.replace(new RegExp(INVALID, 'gi'), (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`)
  url.pathname = encode(url.pathname)
  url.search = encode(url.search)
}

const INVALID = /["<>[\\\]^`{|}]|%(?![\da-f]{2})/i

function isPublicName(host: string): boolean {
  const labels = host.split('.')
  // No name has an empty label, which could hide a reserved one: localhost..
  if (labels.length < 2 || labels.includes('')) return false
  return !RESERVED_SUFFIXES.some((suffix) => host === suffix || host.endsWith(`.${suffix}`))
}

function matcherOf(denied: readonly string[]): (host: string) => boolean {
  const names = new Set(denied)
  const endings = denied.filter((one) => one.startsWith('*')).map((one) => one.slice(1))
  return (host) => names.has(host) || endings.some((ending) => host.endsWith(ending))
}

/** A host of an option as a parsed URL spells it, without a trailing dot. */
function canonicalHost(option: 'allowHosts' | 'denyHosts', text: string): string {
  const host = text.includes(':') && !text.startsWith('[') ? `[${text}]` : text
  if (host === '' || /[/\\?#@\s]/.test(host) || !URL.canParse(`https://${host}`)) {
    throw new EngineError(
      'invalid_option',
      `urlPolicy.${option} must hold names or addresses such as hooks.internal, without a port; found ${text}`,
    )
  }
  return new URL(`https://${host}`).hostname.replace(/\.$/, '')
}

/** The addresses and ranges of `denyHosts`, for the connector: it refuses a name that resolves to one of them. */
export function deniedRanges({ denyHosts = [] }: UrlPolicy): Cidr[] {
  return denyHosts.flatMap((host) => {
    if (isRange(host)) return [readCidr('denyHosts', host)]
    const canonical = canonicalHost('denyHosts', host)
    return isAddress(canonical) ? [rangeOf(canonical)] : []
  })
}

function isRange(host: string): boolean {
  return /^[\da-f.:]+\/\d+$/i.test(host)
}

function readCidr(option: 'allowCidrs' | 'denyHosts', text: string): Cidr {
  try {
    return parseCidr(text)
  } catch (cause) {
    throw new EngineError('invalid_option', `urlPolicy.${option} must hold ranges such as 10.1.0.0/16; found ${text}`, {
      cause,
    })
  }
}

function refuse(reason: UrlRefusal['reason'], message: string): UrlCheck {
  return { ok: false, reason, message }
}
