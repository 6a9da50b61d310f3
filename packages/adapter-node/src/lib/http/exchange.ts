import type { AsyncLocalStorage } from 'node:async_hooks'
import type { SendErrorClass, SendRequest, SendResult, SendTiming } from '@keepsend/engine'
import type { Dispatcher } from 'undici/index.js'
import type { Deadline, Deadlines } from './deadlines.ts'
import type { Dispatchers } from './dispatchers.ts'
import { describeFailure } from './describe-failure.ts'
import { AddressNotAllowed } from './ssrf-guard.ts'
import { beginWriting, brokenOff, isOfParser, wasStale } from './response-heads.ts'

/** Shared by all exchanges on the same connections. */
export interface ExchangeContext {
  dispatchers: Dispatchers
  /** Set with an egress proxy: tells the connector for which exchange it connects. */
  dispatching: AsyncLocalStorage<Exchange> | undefined
  deadlines: Deadlines
}

// Cached origin and path of each URL: parsing takes longer than a look-up, and endpoints are few.
const MAX_PARSED = 10_000
const parsed = new Map<string, { origin: string; path: string }>()

function parse(href: string): { origin: string; path: string } {
  let parts = parsed.get(href)
  if (!parts) {
    const { protocol, origin, pathname, search } = new URL(href)
    // The origin of a blob: URL is that of the URL inside it.
    if (protocol !== 'https:' && protocol !== 'http:') throw new AddressNotAllowed()
    parts = { origin, path: pathname + search }
    if (parsed.size >= MAX_PARSED) parsed.clear()
    parsed.set(href, parts)
  }
  return parts
}

let count = 0

/**
 * One request and its response, through undici's callbacks. Ends once, at the first response, error or deadline. It uses the
 * old callbacks, which undici 7 calls directly: for the new ones it wraps the handler and turns all response headers into an
 * object, of which we read two (35 µs an exchange instead of 31).
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #id = ++count
  readonly #request: SendRequest
  readonly #context: ExchangeContext
  readonly #resolve: (result: SendResult) => void
  readonly #chunks: Buffer[] = []
  #deadline: Deadline | undefined
  #abortRequest: ((reason: Error) => void) | undefined
  /** Cancels the proxy connection that is being made for it. */
  #cancelConnecting: (() => void) | undefined
  #status = 0
  #headers: readonly Buffer[] = []
  #size = 0
  readonly #beganAt = performance.now()
  readonly #timing: SendTiming = {}
  #done = false
  #isRepeated = false

  constructor(request: SendRequest, context: ExchangeContext, resolve: (result: SendResult) => void) {
    this.#request = request
    this.#context = context
    this.#resolve = resolve
  }

  begin(): void {
    const { deadlineMs } = this.#request
    this.#deadline = this.#context.deadlines.add(deadlineMs, () => {
      if (this.#status >= 200 && !this.#needsMore()) this.#answer()
      else this.#end({ kind: 'error', reason: 'timeout', message: `no complete answer within ${deadlineMs} ms` })
      this.#abort()
    })
    this.#dispatch(this.#context.dispatchers.current())
  }

  #dispatch(dispatcher: Dispatcher): void {
    const { url, headers, body } = this.#request
    const { dispatching } = this.#context
    try {
      const options = { ...parse(url), method: 'POST', headers, body } as const
      if (dispatching) dispatching.run(this, () => dispatcher.dispatch(options, this))
      else dispatcher.dispatch(options, this)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** @param cancel ends the connection while it is being made, and does nothing afterwards */
  connecting(cancel: () => void): void {
    this.#cancelConnecting = cancel
  }

  onConnect(abort: (reason?: Error) => void): void {
    this.#abortRequest = abort
    this.#timing.connectMs = performance.now() - this.#beganAt
    beginWriting(this.#id, this.#timing)
    // The deadline passed while the connection was still being made.
    if (this.#done) this.#abort()
  }

  onHeaders(status: number, headers: Buffer[]): boolean {
    this.#status = status
    this.#headers = headers
    this.#timing.firstByteMs = performance.now() - this.#beganAt
    // The delivery has succeeded. The body is read to be shown, and so that the connection can be reused.
    if (isSuccess(status) && this.#deadline && !this.#needsMore())
      this.#context.deadlines.advance(this.#deadline, BODY_MS)
    return true
  }

  #needsMore(): boolean {
    return this.#request.needsBody === true && isSuccess(this.#status)
  }

  onData(chunk: Buffer): boolean {
    const room = this.#request.maxResponseBytes - this.#size
    this.#chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk)
    this.#size += Math.min(chunk.length, room)
    if (chunk.length > room) {
      // Enough of the body: reading the rest would cost us, not the receiver.
      this.#answer()
      this.#abort()
    }
    return true
  }

  onComplete(): void {
    // 421: this connection serves other hosts.
    if (this.#status === MISDIRECTED && this.#repeat()) return
    this.#answer()
  }

  /** Ends with the status and the part of the response that was read. */
  #answer(): void {
    const status = this.#status
    if (status < 200) {
      this.#end({ kind: 'error', reason: 'invalid_response', message: `the receiver answered with status ${status}` })
      return
    }
    const headers = this.#headers
    const body = this.#chunks.length === 1 ? (this.#chunks[0] ?? NO_BODY) : Buffer.concat(this.#chunks)
    this.#end({
      kind: 'response',
      status,
      header: (name) => headerOf(headers, name),
      headers: () => headersOf(headers),
      body,
      timing: this.#timing,
    })
  }

  onError(error: Error): void {
    this.#fail(error)
  }

  /** Repeats the request on a new connection, once; false if this already is the repeat. */
  #repeat(): boolean {
    if (this.#isRepeated || this.#done) return false
    this.#isRepeated = true
    this.#status = 0
    this.#headers = []
    this.#chunks.length = 0
    this.#size = 0
    this.#abortRequest = undefined
    // Not within undici's callback, which is in the middle of a state change.
    setImmediate(() => {
      if (!this.#done) this.#context.dispatchers.alone((dispatcher) => this.#dispatch(dispatcher))
    })
    return true
  }

  #fail(error: unknown): void {
    if (this.#done) return
    if (wasStale(error, this.#id) && this.#repeat()) return
    const head = this.#status < 200 ? brokenOff(error, this.#id) : undefined
    if (head?.isWhole) {
      this.#status = head.status
      this.#headers = head.headers
      this.#chunks.push(head.rest.subarray(0, this.#request.maxResponseBytes))
    }
    if (this.#status > 0) this.#answer()
    else this.#end({ kind: 'error', ...describe(error), ...(head && { status: head.status }) })
  }

  #end(result: SendResult): void {
    if (this.#done) return
    this.#done = true
    if (this.#deadline) this.#context.deadlines.cancel(this.#deadline)
    this.#cancelConnecting?.()
    this.#resolve(result)
  }

  #abort(): void {
    this.#abortRequest?.(new Error('the exchange has ended'))
  }
}

function describe(error: unknown): { reason: SendErrorClass; message: string } {
  if (error instanceof AddressNotAllowed) return { reason: 'blocked_address', message: error.message }
  return isOfParser(error) ? { reason: 'invalid_response', message: NOT_HTTP } : describeFailure(error)
}

function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299
}

const MISDIRECTED = 421

const NOT_HTTP = 'the receiver answered, but not in HTTP/1.1: check the host and port of the URL'

// How long the body of a 2xx is awaited after its head: most bodies arrive with it, and the attempt occupies a slot.
const BODY_MS = 1000

const NO_BODY = Buffer.alloc(0)

/** The value of a header by lower-case name, from alternating names and values; several values are joined with commas, as in fetch. */
function headerOf(headers: readonly Buffer[], name: string): string | undefined {
  let value: string | undefined
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const candidate = headers[index]
    if (candidate?.length === name.length && candidate.toString('latin1').toLowerCase() === name) {
      const more = headers[index + 1]?.toString('latin1') ?? ''
      value = value === undefined ? more : `${value}, ${more}`
    }
  }
  return value
}

/** All headers by lower-case name. */
function headersOf(headers: readonly Buffer[]): Record<string, string> {
  const all: Record<string, string> = {}
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index]?.toString('latin1').toLowerCase() ?? ''
    const value = headers[index + 1]?.toString('latin1') ?? ''
    all[name] = Object.hasOwn(all, name) ? `${all[name]}, ${value}` : value
  }
  return all
}
