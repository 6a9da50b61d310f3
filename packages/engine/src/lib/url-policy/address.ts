import ipaddr from 'ipaddr.js'

/**
 * Which addresses may be sent to: a block list for IPv4, an allow list for IPv6, where new special blocks keep appearing
 * (3fff::/20, 5f00::/16) and an allow list also covers future ones.
 */
const BLOCKED_IPV4 = [
  '0.0.0.0/8', // this host
  '10.0.0.0/8', // private
  '100.64.0.0/10', // carrier-grade NAT, and some clouds' metadata
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local, most clouds' metadata
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments
  '192.0.2.0/24', // documentation
  '192.31.196.0/24', // AS112, which answers for private addresses
  '192.52.193.0/24', // multicast relays
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '192.175.48.0/24', // AS112
  '198.18.0.0/15', // benchmarking
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
  '168.63.129.16/32', // Azure's host agent, which only looks public
].map((cidr) => ipaddr.IPv4.parseCIDR(cidr))

const ALLOWED_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3')
const BLOCKED_IPV6 = [
  '2001::/23', // protocol assignments, Teredo among them
  '2001:db8::/32', // documentation
  '2620:4f:8000::/48', // AS112
  '2002::/16', // 6to4: contains an IPv4 address
  '3fff::/20', // documentation
].map((cidr) => ipaddr.IPv6.parseCIDR(cidr))

const MAPPED_BITS = 96

/** A range of addresses in an operator's list: `10.1.0.0/16`, `fd00::/8`. */
export type Cidr = ReturnType<typeof ipaddr.parseCIDR>

/** Throws for a text that is not a CIDR. A range of IPv4 addresses mapped into IPv6 becomes the range of IPv4 addresses. */
export function parseCidr(text: string): Cidr {
  const [range, bits] = ipaddr.parseCIDR(text)
  return range instanceof ipaddr.IPv6 && range.isIPv4MappedAddress() && bits >= MAPPED_BITS
    ? [range.toIPv4Address(), bits - MAPPED_BITS]
    : [range, bits]
}

/** The range of one address, in brackets or without. Throws for a text that is not an address. */
export function rangeOf(address: string): Cidr {
  const parsed = ipaddr.process(withoutBrackets(address))
  return [parsed, parsed.kind() === 'ipv4' ? 32 : 128]
}

/** Whether an address is in one of the ranges, in any spelling; false for a text that is not an address. */
export function isWithin(address: string, ranges: readonly Cidr[]): boolean {
  const text = withoutBrackets(address)
  if (ranges.length === 0 || !ipaddr.isValid(text)) return false
  const parsed = ipaddr.process(text)
  return ranges.some((range) => matches(parsed, range))
}

const LOOPBACK = ['127.0.0.0/8', '::1/128'].map(parseCidr)

/** Whether an address is one of the loopback interface: 127.0.0.0/8 or ::1, in any spelling. */
export function isLoopbackAddress(address: string): boolean {
  return isWithin(address, LOOPBACK)
}

/** Whether a URL's `hostname` (IPv6 in brackets) is an address and not a name. */
export function isAddress(hostname: string): boolean {
  return ipaddr.isValid(withoutBrackets(hostname))
}

/**
 * Whether an address is public, lies in a range that the operator opened, or is refused. An IPv4 address mapped into IPv6 is
 * classified as the IPv4 address. A text that is not an address is refused.
 */
export function classifyAddress(address: string, opened: readonly Cidr[] = []): 'public' | 'opened' | 'refused' {
  const text = withoutBrackets(address)
  if (!ipaddr.isValid(text)) return 'refused'
  const parsed = ipaddr.process(text)
  if (opened.some((cidr) => matches(parsed, cidr))) return 'opened'
  const isPublic =
    parsed.kind() === 'ipv4'
      ? !BLOCKED_IPV4.some((cidr) => matches(parsed, cidr))
      : matches(parsed, ALLOWED_IPV6) && !BLOCKED_IPV6.some((cidr) => matches(parsed, cidr))
  return isPublic ? 'public' : 'refused'
}

/** Whether an address is public or in one of the opened ranges: {@link classifyAddress} as a boolean. */
export function isPublicAddress(address: string, opened: readonly Cidr[] = []): boolean {
  return classifyAddress(address, opened) !== 'refused'
}

function matches(address: ipaddr.IPv4 | ipaddr.IPv6, [range, bits]: Cidr): boolean {
  return address.kind() === range.kind() && address.match(range, bits)
}

function withoutBrackets(hostname: string): string {
  return hostname.startsWith('[') && hostname.endsWith(']') ? hostname.slice(1, -1) : hostname
}
