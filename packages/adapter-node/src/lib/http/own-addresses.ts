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
 * Creates a check whether an address is this machine's own, public or not: a service there may trust local connections.
 * Addresses that are mapped to this machine elsewhere (NAT, a load balancer) are not detected.
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
    // BlockList recognises IPv4-mapped IPv6 addresses and different spellings of an IPv6 address.
    return own ? own.check(address, familyOf(address)) : true
  }
}

/** Undefined when the interfaces cannot be read: then every address counts as our own. */
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
  // A link-local address comes with its scope, which is not part of the address.
  for (const addresses of Object.values(networkInterfaces()))
    for (const { address } of addresses ?? []) yield address.replace(/%.*/, '')
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4'
}
