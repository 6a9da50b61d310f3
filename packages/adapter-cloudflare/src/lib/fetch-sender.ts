import type { SendRequest, SendResult, Sender } from '@keepsend/engine'
import { describeFailure } from './describe-failure.ts'

/**
 * Creates a sender on the platform's `fetch`. It follows no redirect, reads at most `maxResponseBytes`, and ends at the deadline.
 * Only the URL policy limits the hosts: a Worker cannot see the address that a name resolves to, and the platform does not
 * route to private networks.
 */
export function createFetchSender(): Sender {
  return {
    supports: { tls: false },
    // The engine refuses such endpoints before; another caller must not believe that its TLS material was used.
    send: (request) => (request.tls ? Promise.resolve(NO_TLS) : new Exchange(request).result),
  }
}

const NO_TLS: SendResult = {
  kind: 'error',
  reason: 'tls',
  message: 'a Worker has no client certificates and no private authorities for its receivers; nothing was sent',
}

// How long the body of a 2xx is awaited: with the head the delivery has succeeded.
const BODY_MS = 1000

/** One request and its response. Ends once, at the first response, error or deadline. */
class Exchange {
  readonly result: Promise<SendResult>
  readonly #end: (result: SendResult) => void
  readonly #controller = new AbortController()
  readonly #timers: ReturnType<typeof setTimeout>[] = []
  #response: Response | undefined
  #body: Uint8Array = new Uint8Array()
  // A Worker's clock moves with each answer from outside.
  readonly #beganAt = Date.now()
  #firstByteMs: number | undefined

  constructor(request: SendRequest) {
    const { promise, resolve } = Promise.withResolvers<SendResult>()
    this.#end = resolve
    this.result = promise.finally(() => this.#timers.forEach(clearTimeout))
    const { deadlineMs, needsBody } = request
    const late: SendResult = {
      kind: 'error',
      reason: 'timeout',
      message: `no complete answer within ${deadlineMs} ms`,
    }
    this.#endIn(deadlineMs, () => (needsBody && this.#response?.ok ? this.#end(late) : this.#answer(late)))
    void this.#run(request).then(
      () => this.#answer(),
      (error: unknown) => this.#answer({ kind: 'error', ...describeFailure(error) }),
    )
  }

  async #run({ url, headers, body, maxResponseBytes, needsBody }: SendRequest): Promise<void> {
    const response = await fetch(url, {
      method: 'POST',
      // The platform decompresses responses, so ask for uncompressed ones.
      headers: { ...headers, 'accept-encoding': 'identity' },
      body,
      redirect: 'manual',
      signal: this.#controller.signal,
    })
    this.#response = response
    this.#firstByteMs = Date.now() - this.#beganAt
    if (response.ok && !needsBody) this.#endIn(BODY_MS, () => this.#answer())
    for await (const chunk of firstBytes(response, maxResponseBytes)) this.#body = chunk
  }

  #endIn(ms: number, end: () => void): void {
    this.#timers.push(
      setTimeout(() => {
        end()
        this.#controller.abort()
      }, ms),
    )
  }

  /** Ends with the status and the part of the body that was read. @param otherwise the result without a status */
  #answer(otherwise?: SendResult): void {
    if (this.#response) this.#end(resultOf(this.#response, this.#body, this.#firstByteMs))
    else if (otherwise) this.#end(otherwise)
  }
}

function resultOf({ status, headers }: Response, body: Uint8Array, firstByteMs: number | undefined): SendResult {
  if (status < 200 || status > 599) {
    return { kind: 'error', reason: 'invalid_response', message: `the receiver answered with status ${status}` }
  }
  return {
    kind: 'response',
    status,
    header: (name) => headers.get(name) ?? undefined,
    headers: () => Object.fromEntries(headers),
    body,
    timing: { firstByteMs },
  }
}

/** Yields all bytes read so far, at each chunk. Counts decompressed bytes, and cancels the response at `maxBytes`. */
async function* firstBytes(response: Response, maxBytes: number): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader()
  if (!reader) return
  const bytes = new Uint8Array(maxBytes)
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const chunk = value.subarray(0, maxBytes - size)
    bytes.set(chunk, size)
    size += chunk.length
    yield bytes.subarray(0, size)
    if (size === maxBytes) return reader.cancel()
  }
}
