import { BlockList, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'

// Interfaces come and go: a container joins a network, a VPN connects.
const FRESH_MS = 5000

export interface OwnAddressesOptions {
  /** @default os.networkInterfaces */
  read?: (() => Iterable<string>) | undefined
  /** @default performance.now */
  monotonic?: (() => number) | undefined
}

/**
 * Whether an address is this machine's own, public or not. What listens on it may be meant for neighbours only, and a
 * connection from here looks like one of theirs. Addresses that are mapped to this machine elsewhere (NAT, a load
 * balancer) are not known here.
 */
export function createOwnAddresses(options: OwnAddressesOptions = {}): (address: string) => boolean {
  const { read = interfaceAddresses, monotonic = () => performance.now() } = options
  let own: BlockList | undefined
  let freshUntil = Number.NEGATIVE_INFINITY
  return (address) => {
    if (monotonic() >= freshUntil) {
      own = listOf(read)
      freshUntil = monotonic() + FRESH_MS
    }
    // It knows an IPv4 address that is mapped into IPv6, and one IPv6 address in two spellings.
    return own ? own.check(address, familyOf(address)) : true
  }
}

/** Undefined when the interfaces cannot be read: then any address might be one of them. */
function listOf(read: () => Iterable<string>): BlockList | undefined {
  const list = new BlockList()
  try {
    for (const one of read()) list.addAddress(one, familyOf(one))
  } catch {
    return undefined
  }
  return list
}

function* interfaceAddresses(): Iterable<string> {
  // A link-local address comes with its scope, which is no part of it.
  for (const addresses of Object.values(networkInterfaces()))
    for (const { address } of addresses ?? []) yield address.replace(/%.*/, '')
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4'
}
