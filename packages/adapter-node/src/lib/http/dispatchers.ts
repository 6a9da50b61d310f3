// Imported by its file, here and elsewhere: for the bare name Bun substitutes its own module, which cannot dispatch.
import { Agent, type Dispatcher, type buildConnector } from 'undici/index.js'
import { MAX_HEAD, watchHeads } from './response-heads.ts'

// The deadline bounds all phases; undici's own time-outs miss a body that drips and a flood of 1xx. A receiver may ask to
// keep idle connections longer, up to a minute.
const BOUNDS = { keepAliveMaxTimeout: 60_000, headersTimeout: 0, bodyTimeout: 0, maxHeaderSize: MAX_HEAD }

/** Dispatches requests on connections that `connect` makes; each connection has one request in flight. */
export function createDispatcher(connect: buildConnector.connector, keepAliveMs: number): Dispatcher {
  const watched: buildConnector.connector = (target, callback) =>
    connect(target, (...answer) => {
      const [error, socket] = answer
      if (error) callback(error, null)
      else callback(null, watchHeads(socket))
    })
  return new Agent({ ...BOUNDS, keepAliveTimeout: keepAliveMs, connect: watched })
}

/** A sequence of dispatchers, so that no connection is older than `lifeMs` plus a request. */
export interface Dispatchers {
  current(): Dispatcher
  /** Passes a new dispatcher, without connections, for a single request. It closes after that request. */
  alone(send: (dispatcher: Dispatcher) => void): void
  /** Call before each new connection: starts the timer of the rotation. */
  connecting(): void
  /** Requests in flight fail. */
  close(): Promise<void>
}

// The longest deadline of an attempt plus the half second by which it may overrun: by then its requests have ended.
const RETIRED_MS = 30_500

/**
 * A connection is checked by the guard only when it is made. So after `lifeMs` it takes no more requests, finishes its own,
 * and a new connection is checked. We rotate the whole Agent instead of tracking each connection's age, to keep the hot path
 * free.
 */
export function createDispatchers(make: () => Dispatcher, lifeMs: number): Dispatchers {
  let current = make()
  const lone = new Set<Dispatcher>()
  const retired = new Map<Dispatcher, NodeJS.Timeout>()
  let timer: NodeJS.Timeout | undefined
  let closed = false

  function rotate(): void {
    timer = undefined
    const old = current
    current = make()
    // Later, because `close()` must be able to destroy it: an agent that is closing can no longer abort its requests.
    const end = setTimeout(() => {
      retired.delete(old)
      void old.close()
    }, RETIRED_MS)
    retired.set(old, end.unref())
  }

  return {
    current: () => current,
    alone(send) {
      // The destroyed dispatcher answers with an error.
      if (closed) return send(current)
      const one = make()
      lone.add(one)
      send(one)
      void one.close().finally(() => lone.delete(one))
    },
    connecting() {
      // Without connections there is nothing to rotate, and no timer.
      if (!closed) timer ??= setTimeout(rotate, lifeMs).unref()
    },
    async close() {
      closed = true
      clearTimeout(timer)
      for (const end of retired.values()) clearTimeout(end)
      await Promise.all([current, ...retired.keys(), ...lone].map((one) => one.destroy()))
    },
  }
}
