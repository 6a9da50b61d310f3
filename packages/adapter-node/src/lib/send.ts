import { Resolver } from 'node:dns'
import { type SendRequest, type SendResult, type Sender, type UrlPolicy, createCheckUrl } from '@keepsend/engine'
import type { Dispatcher } from 'undici'
import { type Deadline, Deadlines } from './deadlines.ts'
import { createDispatchers, direct, proxied } from './dispatchers.ts'
import { AdapterError, checkBounds } from './errors.ts'
import { AddressNotAllowed, createGuard } from './guard.ts'
import { createLookup } from './lookup.ts'
import { checkOptions } from './option-names.ts'
import { createOwnAddresses } from './own-addresses.ts'

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
}

export interface UndiciSender extends Sender {
  readonly urlPolicy: UrlPolicy
  /** Closes every connection; requests under way end as network errors. */
  close(): Promise<void>
}

/**
 * Sends through undici's `dispatch`, on an agent of its own: no proxy from the environment, no redirects, no
 * decompression, one connection a request under way. Fetch is four to five times slower, and inflates what it reads.
 * Every connection goes through the guard (guard.ts) when it is made.
 */
export function createUndiciSender(options: UndiciSenderOptions = {}): UndiciSender {
  checkOptions('createUndiciSender', options)
  const { connectTimeoutMs = 10_000, keepAliveMs = 4000, connectionLifeMs = 540_000, egressProxy } = options
  checkBounds('connectTimeoutMs', connectTimeoutMs, 100, 60_000)
  checkBounds('keepAliveMs', keepAliveMs, 1, 60_000)
  // With the longest deadline of an attempt, 30 s, no connection is older than 10 minutes.
  checkBounds('connectionLifeMs', connectionLifeMs, 100, 570_000)
  checkServers(options.dnsServers)
  checkProxy(egressProxy)
  // Judged by what it says now, and shown as such.
  const urlPolicy = structuredClone(options.urlPolicy ?? {})
  const names = createLookup({ servers: options.dnsServers })
  const guard = createGuard({ urlPolicy, lookup: names.lookup, isOwn: createOwnAddresses(), connectTimeoutMs })
  const checkUrl = createCheckUrl(urlPolicy)
  const bounds = { connectTimeoutMs, keepAliveMs }
  const make = (): Dispatcher =>
    egressProxy === undefined ? direct(connect, bounds) : proxied(egressProxy, admit, bounds)
  const dispatchers = createDispatchers(make, connectionLifeMs)
  function connect(...connection: Parameters<typeof guard>): void {
    dispatchers.connecting()
    guard(...connection)
  }
  function admit(origin: string): boolean {
    dispatchers.connecting()
    return checkUrl(origin).ok
  }
  const deadlines = new Deadlines()
  return {
    urlPolicy,
    send: (request) => new Promise((resolve) => new Exchange(request, deadlines, resolve).begin(dispatchers.current())),
    close() {
      names.close()
      return dispatchers.close()
    },
  }
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

// An origin and a path for each URL, kept: parsing takes longer than looking up, and endpoints are few.
const MAX_PARSED = 10_000
const parsed = new Map<string, { origin: string; path: string }>()

function parse(href: string): { origin: string; path: string } {
  let parts = parsed.get(href)
  if (!parts) {
    const { protocol, origin, pathname, search } = new URL(href)
    // The origin of a blob: URL is that of another URL inside.
    if (protocol !== 'https:' && protocol !== 'http:') throw new AddressNotAllowed()
    parts = { origin, path: pathname + search }
    if (parsed.size >= MAX_PARSED) parsed.clear()
    parsed.set(href, parts)
  }
  return parts
}

/**
 * One request and its answer, as undici calls back. Ends once, by whatever comes first. By the callbacks that undici 7
 * calls itself: for the newer ones it wraps the handler and makes an object of every answer's headers, where two names
 * are looked for (35 µs an exchange instead of 31).
 */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: SendRequest
  readonly #deadlines: Deadlines
  readonly #resolve: (result: SendResult) => void
  readonly #chunks: Buffer[] = []
  #deadline: Deadline | undefined
  #hangUp: ((reason: Error) => void) | undefined
  #status = 0
  #headers: readonly Buffer[] = []
  #size = 0
  #done = false

  constructor(request: SendRequest, deadlines: Deadlines, resolve: (result: SendResult) => void) {
    this.#request = request
    this.#deadlines = deadlines
    this.#resolve = resolve
  }

  begin(dispatcher: Dispatcher): void {
    const { url, headers, body, deadlineMs } = this.#request
    this.#deadline = this.#deadlines.add(deadlineMs, () => {
      this.#end({ kind: 'error', reason: 'timeout', message: `no complete answer within ${deadlineMs} ms` })
      this.#abort()
    })
    try {
      dispatcher.dispatch({ ...parse(url), method: 'POST', headers, body }, this)
    } catch (error) {
      this.#fail(error)
    }
  }

  onConnect(abort: (reason?: Error) => void): void {
    this.#hangUp = abort
    // The deadline passed while the connection was still being made.
    if (this.#done) this.#abort()
  }

  onUpgrade(): void {
    this.#end({ kind: 'error', reason: 'invalid_response', message: 'the receiver switched protocols' })
    this.#abort()
  }

  onHeaders(status: number, headers: Buffer[]): boolean {
    this.#status = status
    this.#headers = headers
    return true
  }

  onData(chunk: Buffer): boolean {
    const room = this.#request.maxResponseBytes - this.#size
    this.#chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk)
    this.#size += Math.min(chunk.length, room)
    if (chunk.length > room) {
      // What is kept is full. The rest would cost us, not the receiver: hang up.
      this.onComplete()
      this.#abort()
    }
    return true
  }

  onComplete(): void {
    const status = this.#status
    if (status < 200 || status > 599) {
      this.#end({ kind: 'error', reason: 'invalid_response', message: `the receiver answered with status ${status}` })
      return
    }
    const headers = this.#headers
    const body = this.#chunks.length === 1 ? (this.#chunks[0] ?? NO_BODY) : Buffer.concat(this.#chunks)
    this.#end({ kind: 'response', status, header: (name) => headerOf(headers, name), body })
  }

  onError(error: Error): void {
    this.#fail(error)
  }

  #fail(error: unknown): void {
    if (error instanceof AddressNotAllowed) {
      this.#end({ kind: 'error', reason: 'blocked_address', message: error.message })
    } else {
      this.#end({ kind: 'error', reason: 'network', message: describe(error) })
    }
  }

  #end(result: SendResult): void {
    if (this.#done) return
    this.#done = true
    if (this.#deadline) this.#deadlines.cancel(this.#deadline)
    this.#resolve(result)
  }

  #abort(): void {
    this.#hangUp?.(new Error('the exchange has ended'))
  }
}

const NO_BODY = Buffer.alloc(0)

/** The first value of a header, by lower-case name, out of names and values in turn. */
function headerOf(headers: readonly Buffer[], name: string): string | undefined {
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const candidate = headers[index]
    if (candidate?.length === name.length && candidate.toString('latin1').toLowerCase() === name) {
      return headers[index + 1]?.toString('latin1')
    }
  }
  return undefined
}

/** Code and text. Errors of connecting list the addresses that were tried, which is nobody's business outside. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error ? String(error.code) : ''
  const connecting = code === 'UND_ERR_CONNECT_TIMEOUT' || ('syscall' in error && error.syscall === 'connect')
  const text = connecting || error instanceof AggregateError ? 'could not connect' : error.message
  return `${code} ${text}`.trim()
}
