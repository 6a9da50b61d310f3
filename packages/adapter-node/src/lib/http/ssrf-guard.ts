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
import { messageOf } from '@keepsend/outbox/internal'
import { buildConnector } from 'undici/index.js'
import { type Address, type Late, type Lookup, within } from './dns-lookup.ts'
import { connectToFirst, discard, isSocket } from './connect-race.ts'
import { noteSteps } from './connection-steps.ts'

/** The connection was refused. The message is the same in every case and never names the address. */
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
  /** Resolves names that are not in the policy's `allowHosts`. */
  lookup: Lookup
  /** Whether an address is this machine's own. */
  isOwn: (address: string) => boolean
  /** Bound on look-up, connecting and TLS together, in ms. */
  connectTimeoutMs: number
  /** @default true, whatever the environment says */
  verifyCertificates?: boolean | undefined
  /** Client certificate and authorities. @default no certificate, and Node's authorities */
  secureContext?: SecureContext | undefined
  /** Builds the connector that opens sockets. @default undici's */
  build?: typeof buildConnector | undefined
}

/**
 * Stages two and three of the SSRF guard: checks each connection when it is made, in this order, and refuses when in doubt.
 *
 * 1. Scheme, port, reserved names and literal addresses, with the check of the URL stage. Literals are checked here because
 *    sockets never look them up (and `net.BlockList` as an option of `connect` is ignored under TLS).
 * 2. The name is resolved and every address checked: no address, or one blocked address, refuses the name. A name with a
 *    public and a private address is an attack, not a mistake to filter.
 * 3. The socket connects only to the checked addresses: there is no second look-up that could rebind.
 * 4. The address of the connected socket is checked once more.
 *
 * The operator vouches for a host in `allowHosts`: the system resolves it, including /etc/hosts, and it may be any address
 * that is not in `denyHosts`. A pooled connection was checked when it was made, so requests on it cost nothing here.
 *
 * With `allowLoopback`, a literal loopback address and `localhost` are connected to on the loopback interface. No resolver
 * is asked for `localhost`, and every other name that leads there is refused.
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
    const kind = classifyAddress(address, opened)
    return kind === 'opened' || (kind === 'public' && !isOwn(address))
  }

  const connect = build({
    timeout: connectTimeoutMs,
    maxCachedSessions: 1000,
    rejectUnauthorized: verifyCertificates,
    ...(secureContext && { secureContext }),
  })
  const path = (resolveName: Lookup, isChecked: (address: string) => boolean) => ({
    resolveName,
    isChecked,
    open: checked(connect, isChecked),
  })
  const toPublic = path(lookup, isAllowed)
  const paths = {
    name: toPublic,
    address: toPublic,
    opened: path(lookupOpened, isUndenied),
    loopback: path(lookupLoopback, (address) => isLoopbackAddress(address) && isUndenied(address)),
  }

  return (target, callback) => {
    const { hostname } = target
    const check = checkUrl(originOf(target))
    if (!check.ok || (check.host === 'address' && !isAllowed(hostname))) {
      // Not before this call returns: undici is in the middle of a state change.
      process.nextTick(callback, new AddressNotAllowed(), null)
      return
    }
    const { resolveName, isChecked, open } = paths[check.host]
    if (isIP(hostname) > 0) return open(target, callback)
    void connectByName(target, callback, {
      look: (onLate) => checkedLookup(resolveName, isChecked, hostname, onLate),
      connect: open,
      connectTimeoutMs,
    })
  }
}

/** The target of a connection as a URL. */
export function originOf({ protocol, hostname, port }: Parameters<buildConnector.connector>[0]): string {
  // undici removes the brackets.
  const host = hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname
  return `${protocol}//${host}${port === '' ? '' : `:${port}`}/`
}

type Look = (onLate: (late: Late) => void) => Promise<readonly Address[]>

/** Looks up and connects, together within `connectTimeoutMs`. */
async function connectByName(
  target: Parameters<buildConnector.connector>[0],
  callback: Parameters<buildConnector.connector>[1],
  by: { look: Look; connect: buildConnector.connector; connectTimeoutMs: number },
): Promise<void> {
  const began = performance.now()
  const end = began + by.connectTimeoutMs
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
    callback(error instanceof Error ? error : new Error(messageOf(error)), null)
    return
  }
  const lookedUp = performance.now()
  // Certificates and server names have no trailing dot.
  const named = { ...target, servername: target.hostname.replace(/\.$/, '') }
  connectToFirst(by.connect, named, { addresses, late }, Math.max(1, end - lookedUp), (...answer) => {
    const [, socket] = answer
    if (socket) noteSteps(socket, { dnsMs: lookedUp - began })
    callback(...answer)
  })
}

/**
 * Wraps a connector: refuses sockets that are connected to an address that is not allowed, and notes how long TLS took with the
 * others.
 */
function checked(connect: buildConnector.connector, isAllowed: (address: string) => boolean): buildConnector.connector {
  return (target, callback) => {
    let connectedAt: number | undefined
    // undici's connectors return the socket, which is not in their type.
    const made: unknown = connect(target, (...answer) => {
      const [error, socket] = answer
      if (error) callback(error, null)
      else if (isAllowed(socket.remoteAddress ?? '')) {
        if (connectedAt !== undefined) noteSteps(socket, { tlsMs: performance.now() - connectedAt })
        callback(null, socket)
      } else {
        discard(socket)
        callback(new AddressNotAllowed(), null)
      }
    })
    if (target.protocol === 'https:' && isSocket(made)) made.once('connect', () => (connectedAt = performance.now()))
    return made
  }
}

/** Resolves a name by the system, including /etc/hosts. */
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

/** Looks up a name and checks all its addresses. @throws {AddressNotAllowed} */
async function checkedLookup(
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
