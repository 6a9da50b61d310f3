import { Resolver } from 'node:dns/promises'

/** An address to connect to. */
export interface Address {
  address: string
  family: 4 | 6
}

/**
 * Resolves a name to all its addresses: empty when it has none. Rejects when the name servers gave no answer or an error.
 *
 * @param onLate called before the promise resolves if one address family is late, with a promise of its addresses
 */
export type Lookup = (name: string, onLate?: (late: Late) => void) => Promise<readonly Address[]>

/** Never rejects; empty if no address comes. */
export type Late = Promise<readonly Address[]>

export interface LookupOptions {
  /** Name servers, as `address` or `address:port`. @default the system's */
  servers?: readonly string[] | undefined
  /** @default performance.now */
  monotonic?: (() => number) | undefined
}

export interface OpenLookup {
  readonly lookup: Lookup
  /** Look-ups in flight reject. */
  readonly close: () => void
}

// `dns.lookup`, which net and http use, runs two look-ups concurrently: 8 names on a dead server delayed a healthy name by
// 40 s. The resolver sends all queries immediately. A second try covers a lost packet.
const TRY_MS = 1500
const TRIES = 2
// A bound on the whole look-up: several name servers, or a resolver that stretches its second try, take no longer.
const WHOLE_MS = 4500

// The record's time to live is ignored, so that the owner of a name can choose neither 0 nor a week.
const FRESH_MS = 5000
// A burst on a dead name queries once a second, and a name that starts to resolve is found within a second.
const FAILURE_FRESH_MS = 1000
const MAX_CACHED = 1000
// No real receiver has more. An answer with more counts as empty, so that the cache stays small.
const MAX_ADDRESSES = 64

// The resolver reads the system's name servers when it is created, so it is replaced once a minute.
const RESOLVER_MS = 60_000

interface Known {
  found: Promise<Found>
  until: number
}

interface Found {
  addresses: readonly Address[]
  late?: Late | undefined
}

/** Queries the name servers, never /etc/hosts: A and AAAA concurrently, one query per name at a time; answers are cached for 5 s. */
export function createLookup({ servers, monotonic = () => performance.now() }: LookupOptions = {}): OpenLookup {
  const known = new Map<string, Known>()
  let resolver: Resolver | undefined
  let resolverUntil = 0
  let closed = false

  function current(): Resolver {
    if (!resolver || monotonic() >= resolverUntil) {
      resolver = new Resolver({ timeout: TRY_MS, tries: TRIES })
      if (servers) resolver.setServers(servers)
      resolverUntil = monotonic() + RESOLVER_MS
    }
    return resolver
  }

  return {
    async lookup(hostname, onLate) {
      if (closed) throw failure('ECANCELLED', 'the look-up was closed')
      const name = hostname.replace(/\.$/, '')
      const before = known.get(name)
      const { found } = before && monotonic() < before.until ? before : begin(name)
      const { addresses, late } = await found
      if (late) onLate?.(late)
      return addresses
    },
    close() {
      closed = true
      resolver?.cancel()
    },
  }

  function begin(name: string): Known {
    const found = ask(current(), name)
    const entry: Known = { found, until: Number.POSITIVE_INFINITY }
    // Deleted and set again, so that the first entry is the oldest.
    known.delete(name)
    known.set(name, entry)
    const oldest = known.size > MAX_CACHED ? known.keys().next().value : undefined
    if (oldest !== undefined) known.delete(oldest)
    found.then(
      ({ addresses, late }) => {
        entry.until = monotonic() + FRESH_MS
        void late?.then((more) => (entry.found = Promise.resolve({ addresses: [...addresses, ...more] })))
      },
      () => (entry.until = monotonic() + FAILURE_FRESH_MS),
    )
    return entry
  }
}

// How long the second family may take after the first answered (RFC 8305, section 3): some name servers never answer AAAA.
const RESOLUTION_DELAY_MS = 50

async function ask(resolver: Resolver, name: string): Promise<Found> {
  const queries = [
    settled(within(WHOLE_MS, resolver.resolve4(name)), 4),
    settled(within(WHOLE_MS, resolver.resolve6(name)), 6),
  ]
  const all = Promise.all(queries)
  const first = await Promise.race([...queries.map(hasSome), all])
  const late = delay(RESOLUTION_DELAY_MS)
  const answers = Array.isArray(first) ? first : await Promise.all(queries.map((one) => Promise.race([one, late.over])))
  late.end()
  // IPv4 first, so that a host without IPv6 wastes no try.
  const addresses = bounded(answers.flatMap(addressesOf))
  if (addresses.length > 0) {
    const missing = queries.filter((_, index) => answers[index] === undefined)
    const more = Promise.all(missing).then((ones) => bounded(ones.flatMap(addressesOf)))
    return missing.length > 0 ? { addresses, late: more } : { addresses }
  }
  // Both families failed, or have too many addresses. ENODATA (no record of this type) is an answer: the name has no address.
  for (const answer of answers) {
    if (answer && 'error' in answer && codeOf(answer.error) !== 'ENODATA') throw answer.error
  }
  return { addresses: [] }
}

function addressesOf(answer: Answer | undefined): readonly Address[] {
  return answer && 'addresses' in answer ? answer.addresses : []
}

function bounded(addresses: readonly Address[]): readonly Address[] {
  return addresses.length > MAX_ADDRESSES ? [] : addresses
}

type Answer = { addresses: Address[] } | { error: unknown }

function settled(query: Promise<string[]>, family: 4 | 6): Promise<Answer> {
  return query.then(
    (all) => ({ addresses: all.map((address) => ({ address, family })) }),
    (error: unknown) => ({ error }),
  )
}

/** Resolves when this family has addresses, otherwise never. */
function hasSome(answer: Promise<Answer>): Promise<'some'> {
  return new Promise((resolve) => {
    void answer.then((it) => {
      if ('addresses' in it && it.addresses.length > 0) resolve('some')
    })
  })
}

function delay(ms: number): { over: Promise<undefined>; end: () => void } {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  return { over, end: () => clearTimeout(timer) }
}

/** The result of `work`, or an error with code `ETIMEOUT` after `ms`. */
export function within<Result>(ms: number, work: Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(failure('ETIMEOUT', `no address in ${ms} ms`)), ms)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}
