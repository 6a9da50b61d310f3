import { createHash } from 'node:crypto'
import type { EndpointTls } from '@keepsend/engine'
import type { Dispatchers } from './dispatchers.ts'

/** Connections grouped by their TLS material: none is reused with the certificate or authorities of another endpoint. */
export interface Pools {
  /**
   * Sends over connections made with `tls` only. They close after 60 s without a request.
   *
   * @throws {UnusableTls}
   */
  run<T>(tls: EndpointTls, send: (dispatchers: Dispatchers) => Promise<T>): Promise<T>
  close(): Promise<void>
}

interface Pool {
  dispatchers: Dispatchers
  inFlight: number
  idle?: NodeJS.Timeout | undefined
}

// A receiver may ask to keep an idle connection for as long.
const IDLE_MS = 60_000
// Each takes about a megabyte if it has authorities.
const MAX_POOLS = 100

export function createPools(make: (tls: EndpointTls) => Dispatchers): Pools {
  /** In order of last use. */
  const pools = new Map<string, Pool>()
  const names = new WeakMap<EndpointTls, string>()
  let isClosed = false

  /** Cached by object, because an endpoint has the same object until it is read again. */
  function nameOf(tls: EndpointTls): string {
    const known = names.get(tls)
    if (known !== undefined) return known
    const { cert, key, ca } = tls
    const name = createHash('sha256')
      .update(JSON.stringify([cert, key, ca]))
      .digest('base64')
    names.set(tls, name)
    return name
  }

  function end(name: string, pool: Pool): void {
    clearTimeout(pool.idle)
    pools.delete(name)
    void pool.dispatchers.close()
  }

  function endOldest(): void {
    for (const [name, pool] of pools) {
      if (pools.size < MAX_POOLS) return
      if (pool.inFlight === 0) end(name, pool)
    }
  }

  return {
    async run(tls, send) {
      const name = nameOf(tls)
      const known = pools.get(name)
      if (!known) endOldest()
      const pool: Pool = known ?? { dispatchers: make(tls), inFlight: 0 }
      pools.delete(name)
      pools.set(name, pool)
      clearTimeout(pool.idle)
      pool.inFlight++
      try {
        if (isClosed) await pool.dispatchers.close()
        return await send(pool.dispatchers)
      } finally {
        if (--pool.inFlight === 0 && !isClosed) pool.idle = setTimeout(end, IDLE_MS, name, pool).unref()
      }
    },
    async close() {
      isClosed = true
      const all = [...pools.values()]
      pools.clear()
      for (const { idle } of all) clearTimeout(idle)
      await Promise.all(all.map(({ dispatchers }) => dispatchers.close()))
    },
  }
}
