import { AsyncLocalStorage } from 'node:async_hooks'
import type { SendRequest, SendResult, Sender, UrlPolicy } from '@keepsend/engine'
import { type Connections, createConnections } from './connections.ts'
import { Deadlines } from './deadlines.ts'
import type { Dispatchers } from './dispatchers.ts'
import { Exchange } from './exchange.ts'
import { UnusableTls } from './secure-context.ts'
import { type UndiciSenderOptions, readSenderOptions } from './sender-options.ts'

export interface UndiciSender extends Sender {
  readonly urlPolicy: UrlPolicy
  /** Closes every connection; requests in flight end as network errors. */
  close(): Promise<void>
}

/**
 * Creates a sender on undici's `dispatch` with an agent of its own: no proxy from the environment, no redirects, no
 * decompression, one request in flight per connection. Fetch is four to five times slower, and decompresses responses.
 * Every connection passes the SSRF guard (ssrf-guard.ts) when it is made.
 *
 * @throws {NodeAdapterError} `invalid_option`, naming option, bound and value
 */
export function createUndiciSender(options: UndiciSenderOptions = {}): UndiciSender {
  const settings = readSenderOptions(options)
  // A snapshot, so that a later mutation has no effect.
  const urlPolicy = structuredClone(options.urlPolicy ?? {})
  // A dispatcher does not tell its connector which request it connects for, but it connects within that request's dispatch.
  const dispatching = settings.egressProxy === undefined ? undefined : new AsyncLocalStorage<Exchange>()
  const connectionsOf = (allowLoopback: boolean): Connections =>
    createConnections({ ...settings, urlPolicy, allowLoopback }, (cancel) =>
      dispatching?.getStore()?.connecting(cancel),
    )
  const connections = connectionsOf(false)
  // Separate: no request of an engine without `development` uses a connection to this machine.
  let loopback: Connections | undefined
  const deadlines = new Deadlines()
  const exchange = (request: SendRequest, dispatchers: Dispatchers): Promise<SendResult> =>
    new Promise((resolve) => new Exchange(request, { dispatchers, dispatching, deadlines }, resolve).begin())

  return {
    urlPolicy,
    supports: { tls: true },
    send(request) {
      const { shared, pools } = request.allowLoopback ? (loopback ??= connectionsOf(true)) : connections
      return request.tls
        ? pools.run(request.tls, (dispatchers) => exchange(request, dispatchers)).catch(unusable)
        : exchange(request, shared)
    },
    async close() {
      await Promise.all([connections.close(), loopback?.close()])
    },
  }
}

function unusable(error: unknown): SendResult {
  if (error instanceof UnusableTls) return { kind: 'error', reason: 'tls', message: error.message }
  throw error
}
