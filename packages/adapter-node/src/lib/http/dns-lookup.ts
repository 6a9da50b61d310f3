import { Resolver } from 'node:dns/promises'

/** An address as it will be connected to. */
export interface Address {
  address: string
  family: 4 | 6
}

/**
 * Every address of a name: empty when it has none. Rejects when the name servers gave no answer, or a bad one.
 *
 * @param onLate is given, before the rest, what comes of a family that is not waited for; it never rejects
 */
export type Lookup = (name: string, onLate?: (late: Late) => void) => Promise<readonly Address[]>

/** Empty where none come. */
export type Late = Promise<readonly Address[]>

export interface LookupOptions {
  /** Name servers, as `address` or `address:port`. @default the system's */
  servers?: readonly string[] | undefined
  /** @default performance.now */
  monotonic?: (() => number) | undefined
}

export interface OpenLookup {
  readonly lookup: Lookup
  /** Look-ups under way reject. */
  readonly close: () => void
}

// `dns.lookup`, what net and http use, runs two at a time: 8 names on a dead server made an innocent one wait 40 s.
// The resolver sends all of them at once. One try more, for the packet that gets lost.
const TRY_MS = 1500
const TRIES = 2
// Whatever the number of name servers, and however the resolver stretches its second try.
const WHOLE_MS = 4500

// The same whatever the record's time to live says: whoever owns the name decides neither 0 nor a week.
const FRESH_MS = 5000
// A burst on a dead name asks once a second; a name that just came to life waits no longer than that.
const FAILURE_FRESH_MS = 1000
const MAX_CACHED = 1000
// Nobody who takes webhooks has more. An answer with more is taken for none, so that the cache stays small.
const MAX_ADDRESSES = 64

// The resolver reads the system's name servers when it is made.
const RESOLVER_MS = 60_000

interface Known {
  found: Promise<Found>
  until: number
}

interface Found {
  addresses: readonly Address[]
  late?: Late | undefined
}

/** Asks the name servers, never /etc/hosts: A and AAAA at once, a name once at a time, each answer kept for 5 s. */
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
    // Again at the end of the line, so that the first is the oldest.
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

// Once one family has answered, the other has so long (RFC 8305, section 3): some name servers never answer AAAA.
const RESOLUTION_DELAY_MS = 50

async function ask(resolver: Resolver, name: string): Promise<Found> {
  const asked = [
    settled(within(WHOLE_MS, resolver.resolve4(name)), 4),
    settled(within(WHOLE_MS, resolver.resolve6(name)), 6),
  ]
  const all = Promise.all(asked)
  const first = await Promise.race([...asked.map(hasSome), all])
  const late = delay(RESOLUTION_DELAY_MS)
  const answers = Array.isArray(first) ? first : await Promise.all(asked.map((one) => Promise.race([one, late.over])))
  late.end()
  // IPv4 first: a host without IPv6 then wastes no try.
  const addresses = bounded(answers.flatMap(addressesOf))
  if (addresses.length > 0) {
    const missing = asked.filter((_, index) => answers[index] === undefined)
    const more = Promise.all(missing).then((ones) => bounded(ones.flatMap(addressesOf)))
    return missing.length > 0 ? { addresses, late: more } : { addresses }
  }
  // Both families failed, or have too many. That a name has no record of the kind is an answer: it has no address.
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

function settled(asking: Promise<string[]>, family: 4 | 6): Promise<Answer> {
  return asking.then(
    (all) => ({ addresses: all.map((address) => ({ address, family })) }),
    (error: unknown) => ({ error }),
  )
}

/** Settles when this family has addresses, and otherwise never. */
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

/** @throws code `ETIMEOUT` */
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
