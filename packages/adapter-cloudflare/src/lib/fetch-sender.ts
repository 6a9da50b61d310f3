import type { SendRequest, SendResult, Sender } from '@keepsend/engine'
import { describeFailure } from './describe-failure.ts'

/**
 * Sends with the platform's `fetch`. Follows no redirect, reads no more than is kept, and ends at the deadline whatever
 * the receiver does. Which hosts may be reached is the URL policy's: a Worker cannot see the address a name resolves to,
 * and the platform itself does not route to private networks.
 */
export function createFetchSender(): Sender {
  return {
    supports: { tls: false },
    // The engine does not come here with any; whoever does is not to be answered as if they had been used.
    send: (request) => (request.tls ? Promise.resolve(NO_TLS) : new Exchange(request).result),
  }
}

const NO_TLS: SendResult = {
  kind: 'error',
  reason: 'tls',
  message: 'a Worker has no client certificates and no private authorities for its receivers; nothing was sent',
}

// After the head of a 2xx the delivery is delivered: what follows is waited for so long, in ms.
const BODY_MS = 1000

/** One request and its answer. Ends once, by whatever comes first. */
class Exchange {
  readonly result: Promise<SendResult>
  readonly #end: (result: SendResult) => void
  readonly #controller = new AbortController()
  readonly #timers: ReturnType<typeof setTimeout>[] = []
  #response: Response | undefined
  #body: Uint8Array = new Uint8Array()

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
      // The platform inflates what it receives: a receiver that is asked for plain bytes has no reason to send others.
      headers: { ...headers, 'accept-encoding': 'identity' },
      body,
      redirect: 'manual',
      signal: this.#controller.signal,
    })
    this.#response = response
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

  /** The status and what was read of the rest, complete or not. @param otherwise where there is no status */
  #answer(otherwise?: SendResult): void {
    if (this.#response) this.#end(resultOf(this.#response, this.#body))
    else if (otherwise) this.#end(otherwise)
  }
}

function resultOf({ status, headers }: Response, body: Uint8Array): SendResult {
  if (status < 200 || status > 599) {
    return { kind: 'error', reason: 'invalid_response', message: `the receiver answered with status ${status}` }
  }
  return { kind: 'response', status, header: (name) => headers.get(name) ?? undefined, body }
}

/** All that has come, each time that more has. Counts inflated bytes, and hangs up once there are enough. */
async function* firstBytes(response: Response, maxBytes: number): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader()
  if (!reader) return
  const kept = new Uint8Array(maxBytes)
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const chunk = value.subarray(0, maxBytes - size)
    kept.set(chunk, size)
    size += chunk.length
    yield kept.subarray(0, size)
    if (size === maxBytes) return reader.cancel()
  }
}
