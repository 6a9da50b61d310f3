import type { SendRequest, SendResult, Sender } from '@keepsend/engine'
import { Agent, type Dispatcher } from 'undici'
import { checkBounds } from './errors.ts'
import { type Deadline, Deadlines } from './deadlines.ts'

export interface UndiciSenderOptions {
  /** Bound on connecting, TLS included, in ms: 100–60,000. The attempt's deadline holds besides. @default 10_000 */
  connectTimeoutMs?: number
  /** How long an idle connection is kept, in ms: 1–60,000. @default 4000, what most servers keep theirs for */
  keepAliveMs?: number
}

export interface UndiciSender extends Sender {
  /** Closes every connection; requests under way end as network errors. */
  close(): Promise<void>
}

/**
 * Sends through undici's `dispatch`, on an agent of its own: no proxy from the environment, no redirects, no
 * decompression, one connection a request under way. Fetch is four to five times slower, and inflates what it reads.
 */
export function createUndiciSender(options: UndiciSenderOptions = {}): UndiciSender {
  const { connectTimeoutMs = 10_000, keepAliveMs = 4000 } = options
  checkBounds('connectTimeoutMs', connectTimeoutMs, 100, 60_000)
  checkBounds('keepAliveMs', keepAliveMs, 1, 60_000)
  const agent = new Agent({
    connect: { timeout: connectTimeoutMs },
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: 60_000,
    // The deadline is one bound on all phases; undici's own miss a body that drips and a flood of 1xx.
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  const deadlines = new Deadlines()
  return {
    send: (request) => new Promise((resolve) => new Exchange(request, deadlines, resolve).begin(agent)),
    close: () => agent.destroy(),
  }
}

// An origin and a path for each URL, kept: parsing takes longer than looking up, and endpoints are few.
const MAX_PARSED = 10_000
const parsed = new Map<string, { origin: string; path: string }>()

function parse(href: string): { origin: string; path: string } {
  let parts = parsed.get(href)
  if (!parts) {
    const { origin, pathname, search } = new URL(href)
    parts = { origin, path: pathname + search }
    if (parsed.size >= MAX_PARSED) parsed.clear()
    parsed.set(href, parts)
  }
  return parts
}

/** One request and its answer, as undici calls back. Ends once, by whatever comes first. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: SendRequest
  readonly #deadlines: Deadlines
  readonly #resolve: (result: SendResult) => void
  readonly #chunks: Buffer[] = []
  #deadline: Deadline | undefined
  #controller: Dispatcher.DispatchController | undefined
  #status = 0
  #headers: Record<string, string | string[] | undefined> = {}
  #size = 0
  #done = false

  constructor(request: SendRequest, deadlines: Deadlines, resolve: (result: SendResult) => void) {
    this.#request = request
    this.#deadlines = deadlines
    this.#resolve = resolve
  }

  begin(agent: Agent): void {
    const { url, headers, body, deadlineMs } = this.#request
    this.#deadline = this.#deadlines.add(deadlineMs, () => {
      this.#end({ kind: 'error', reason: 'timeout', message: `no complete answer within ${deadlineMs} ms` })
      this.#abort()
    })
    try {
      agent.dispatch({ ...parse(url), method: 'POST', headers, body }, this)
    } catch (error) {
      this.#fail(error)
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    // The deadline passed while the connection was still being made.
    if (this.#done) this.#abort()
  }

  onRequestUpgrade(): void {
    this.#end({ kind: 'error', reason: 'invalid_response', message: 'the receiver switched protocols' })
    this.#abort()
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status
    this.#headers = headers
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    const room = this.#request.maxResponseBytes - this.#size
    this.#chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk)
    this.#size += Math.min(chunk.length, room)
    if (chunk.length <= room) return
    // What is kept is full. The rest would cost us, not the receiver: hang up.
    this.onResponseEnd()
    this.#abort()
  }

  onResponseEnd(): void {
    const status = this.#status
    if (status < 200 || status > 599) {
      this.#end({ kind: 'error', reason: 'invalid_response', message: `the receiver answered with status ${status}` })
      return
    }
    const headers = this.#headers
    const body = this.#chunks.length === 1 ? (this.#chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#chunks)
    this.#end({ kind: 'response', status, header: (name) => [headers[name]].flat()[0], body })
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error)
  }

  #fail(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? `${String(error.code)} ` : ''
    const text = error instanceof Error ? error.message : String(error)
    this.#end({ kind: 'error', reason: 'network', message: `${code}${text}`.trim() })
  }

  #end(result: SendResult): void {
    if (this.#done) return
    this.#done = true
    if (this.#deadline) this.#deadlines.cancel(this.#deadline)
    this.#resolve(result)
  }

  #abort(): void {
    this.#controller?.abort(new Error('the exchange has ended'))
  }
}
