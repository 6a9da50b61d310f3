// By its file, here and elsewhere: for the bare name Bun gives a module of its own that cannot dispatch.
import { Agent, type Dispatcher, type buildConnector } from 'undici/index.js'
import { MAX_HEAD, watchHeads } from './response-heads.ts'

// The deadline is one bound on all phases; undici's own miss a body that drips and a flood of 1xx. A receiver may ask
// for a longer life of its idle connections, up to a minute.
const BOUNDS = { keepAliveMaxTimeout: 60_000, headersTimeout: 0, bodyTimeout: 0, maxHeaderSize: MAX_HEAD }

/** Requests on connections that `connect` makes, one a request under way. */
export function createDispatcher(connect: buildConnector.connector, keepAliveMs: number): Dispatcher {
  const watched: buildConnector.connector = (target, callback) =>
    connect(target, (...answer) => {
      const [error, socket] = answer
      if (error) callback(error, null)
      else callback(null, watchHeads(socket))
    })
  return new Agent({ ...BOUNDS, keepAliveTimeout: keepAliveMs, connect: watched })
}

/** One dispatcher after another, so that no connection is older than `lifeMs` and a request. */
export interface Dispatchers {
  current(): Dispatcher
  /** One with no connection yet, for one request. It ends with that request. */
  alone(send: (dispatcher: Dispatcher) => void): void
  /** To be told of each connection that is about to be made. */
  connecting(): void
  /** Requests under way end with errors. */
  close(): Promise<void>
}

// The longest deadline of an attempt, and the half second by which it may overrun: its requests have ended by then.
const RETIRED_MS = 30_500

/**
 * A connection was judged when it was made: after `lifeMs` it takes no more requests, finishes what it has, and is
 * judged anew. By turns of whole dispatchers, because the age of each connection would be work for each request.
 */
export function createDispatchers(make: () => Dispatcher, lifeMs: number): Dispatchers {
  let current = make()
  const lone = new Set<Dispatcher>()
  const retired = new Map<Dispatcher, NodeJS.Timeout>()
  let timer: NodeJS.Timeout | undefined
  let closed = false

  function turn(): void {
    timer = undefined
    const old = current
    current = make()
    // Not at once: an agent that is closing cannot be told to end the requests that it still has.
    const end = setTimeout(() => {
      retired.delete(old)
      void old.close()
    }, RETIRED_MS)
    retired.set(old, end.unref())
  }

  return {
    current: () => current,
    alone(send) {
      // What is destroyed answers with an error.
      if (closed) return send(current)
      const one = make()
      lone.add(one)
      send(one)
      void one.close().finally(() => lone.delete(one))
    },
    connecting() {
      // From the first connection on; without one there is nothing to end, and no timer.
      if (!closed) timer ??= setTimeout(turn, lifeMs).unref()
    },
    async close() {
      closed = true
      clearTimeout(timer)
      for (const end of retired.values()) clearTimeout(end)
      await Promise.all([current, ...retired.keys(), ...lone].map((one) => one.destroy()))
    },
  }
}
