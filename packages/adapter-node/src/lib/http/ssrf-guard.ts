import { lookup as systemLookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { UrlPolicy } from '@keepsend/engine'
import {
  classifyAddress,
  createCheckUrl,
  deniedRanges,
  isLoopbackAddress,
  isWithin,
  parseCidr,
} from '@keepsend/engine/internal'
import { buildConnector } from 'undici/index.js'
import { type Address, type Late, type Lookup, within } from './dns-lookup.ts'
import { connectToFirst, discard } from './connect-race.ts'

/** The connection was not made, or not used. Says the same whatever was found, and never names the address. */
export class AddressNotAllowed extends Error {
  override readonly name = 'AddressNotAllowed'

  constructor() {
    super('address not allowed')
  }
}

export interface GuardOptions {
  /** @default https to public addresses on ports 443 and 8443 */
  urlPolicy?: UrlPolicy | undefined
  /** The loopback interface beside the policy, by http and on any port. @default false */
  allowLoopback?: boolean | undefined
  /** All addresses of a name that the policy does not open. */
  lookup: Lookup
  /** Whether an address is this machine's own. */
  isOwn: (address: string) => boolean
  /** Bound on look-up, connecting and TLS together, in ms. */
  connectTimeoutMs: number
  /** @default true, whatever the environment says */
  verifyCertificates?: boolean | undefined
  /** Certificates of ours, and authorities. @default none, and those of Node */
  secureContext?: SecureContext | undefined
  /** What opens sockets. @default undici's */
  build?: typeof buildConnector | undefined
}

/**
 * Stages two and three of the guard: judges each connection as it is made, in this order, and refuses when in doubt.
 *
 * 1. Scheme, port, reserved names and literal addresses, by the very check of the URL stage. Literals are judged here
 *    because sockets never look them up (and `net.BlockList` as an option of `connect` is ignored under TLS).
 * 2. A name resolves, and every one of its addresses is judged: none, or one that is refused, refuses the name. A name
 *    that answers with a public and a private address is an attack, not a mistake to be filtered.
 * 3. The socket connects to the addresses that were judged and to no other: there is no second look-up to rebind.
 * 4. What it is connected to is judged once more.
 *
 * A host in `allowHosts` is the operator's word: it is resolved by the system, /etc/hosts included, and may be anything but
 * what `denyHosts` holds.
 * With `allowLoopback` a literal loopback address and `localhost` are connected to on the loopback interface. No resolver is
 * asked for `localhost`, and every other name that leads there is refused as before.
 * A connection in the pool was judged when it was made; a request on it costs nothing here.
 */
export function createGuard(options: GuardOptions): buildConnector.connector {
  const { urlPolicy = {}, allowLoopback, lookup, isOwn, connectTimeoutMs, build = buildConnector } = options
  const { verifyCertificates = true, secureContext } = options
  const checkUrl = createCheckUrl(urlPolicy, { allowLoopback })
  const opened = (urlPolicy.allowCidrs ?? []).map(parseCidr)
  const denied = deniedRanges(urlPolicy)
  const isUndenied = (address: string): boolean => !isWithin(address, denied)
  const isAllowed = (address: string): boolean => {
    if (!isUndenied(address)) return false
    const judged = classifyAddress(address, opened)
    return judged === 'opened' || (judged === 'public' && !isOwn(address))
  }

  const connect = build({
    timeout: connectTimeoutMs,
    maxCachedSessions: 1000,
    rejectUnauthorized: verifyCertificates,
    ...(secureContext && { secureContext }),
  })
  const way = (ask: Lookup, judge: (address: string) => boolean) => ({ ask, judge, open: checked(connect, judge) })
  const judged = way(lookup, isAllowed)
  const ways = {
    name: judged,
    address: judged,
    opened: way(lookupOpened, isUndenied),
    loopback: way(lookupLoopback, (address) => isLoopbackAddress(address) && isUndenied(address)),
  }

  return (target, callback) => {
    const { hostname } = target
    const check = checkUrl(originOf(target))
    if (!check.ok || (check.host === 'address' && !isAllowed(hostname))) {
      // Never before this call returns: undici is in the middle of its own state.
      process.nextTick(callback, new AddressNotAllowed(), null)
      return
    }
    const { ask, judge, open } = ways[check.host]
    if (isIP(hostname) > 0) return open(target, callback)
    void connectByName(target, callback, {
      look: (onLate) => judgedLookup(ask, judge, hostname, onLate),
      connect: open,
      connectTimeoutMs,
    })
  }
}

/** What a connection is asked for, as a URL. */
export function originOf({ protocol, hostname, port }: Parameters<buildConnector.connector>[0]): string {
  // undici takes the brackets off.
  const host = hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname
  return `${protocol}//${host}${port === '' ? '' : `:${port}`}/`
}

type Look = (onLate: (late: Late) => void) => Promise<readonly Address[]>

/** Look-up and connecting together within the bound. */
async function connectByName(
  target: Parameters<buildConnector.connector>[0],
  callback: Parameters<buildConnector.connector>[1],
  by: { look: Look; connect: buildConnector.connector; connectTimeoutMs: number },
): Promise<void> {
  const end = performance.now() + by.connectTimeoutMs
  let late: Late | undefined
  let addresses: readonly Address[]
  try {
    addresses = await within(
      by.connectTimeoutMs,
      by.look((promise) => {
        late = promise
      }),
    )
  } catch (error) {
    callback(error instanceof Error ? error : new Error(String(error)), null)
    return
  }
  // A certificate, and its server name, are of the host without the last dot.
  const named = { ...target, servername: target.hostname.replace(/\.$/, '') }
  connectToFirst(by.connect, named, { addresses, late }, Math.max(1, end - performance.now()), callback)
}

/** A connector whose sockets are used only where they are connected to what is allowed. */
function checked(connect: buildConnector.connector, isAllowed: (address: string) => boolean): buildConnector.connector {
  return (target, callback) =>
    connect(target, (...answer) => {
      const [error, socket] = answer
      if (error) callback(error, null)
      else if (isAllowed(socket.remoteAddress ?? '')) callback(null, socket)
      else {
        discard(socket)
        callback(new AddressNotAllowed(), null)
      }
    })
}

/** As the system resolves it, /etc/hosts included. */
async function lookupOpened(hostname: string): Promise<readonly Address[]> {
  const addresses = await systemLookup(hostname, { all: true })
  return addresses.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }))
}

/** `localhost`, whatever a file or a name server says of it (RFC 6761). A receiver may listen on one of the two alone. */
async function lookupLoopback(): Promise<readonly Address[]> {
  // A machine without IPv6 refuses the first immediately, and then the error of the second is the one to show.
  return [
    { address: '::1', family: 6 },
    { address: '127.0.0.1', family: 4 },
  ]
}

/** The addresses of a name, each of which may be connected to. */
async function judgedLookup(
  lookup: Lookup,
  isAllowed: (address: string) => boolean,
  hostname: string,
  onLate: (late: Late) => void,
): Promise<readonly Address[]> {
  const areAllowed = (all: readonly Address[]): boolean => all.every(({ address }) => isAllowed(address))
  const addresses = await lookup(hostname, (late) => onLate(late.then((all) => (areAllowed(all) ? all : []))))
  if (addresses.length === 0 || !areAllowed(addresses)) throw new AddressNotAllowed()
  return addresses
}
