import type { SecureContext } from 'node:tls'
import type { UrlPolicy } from '@keepsend/engine'
import { createCheckUrl } from '@keepsend/engine/internal'
import { type Dispatchers, createDispatcher, createDispatchers } from './dispatchers.ts'
import { createGuard, originOf } from './ssrf-guard.ts'
import { createLookup } from './dns-lookup.ts'
import { createOwnAddresses } from './own-addresses.ts'
import { type Pools, createPools } from './connection-pools.ts'
import { contextOf } from './secure-context.ts'
import type { readSenderOptions } from './sender-options.ts'
import { createTunnel } from './proxy-tunnel.ts'

/** All connections of a sender. */
export interface Connections {
  /** For requests without TLS material of their own. */
  shared: Dispatchers
  /** For requests with TLS material. */
  pools: Pools
  /** Requests in flight fail. */
  close(): Promise<void>
}

type Settings = ReturnType<typeof readSenderOptions> & { urlPolicy: UrlPolicy; allowLoopback: boolean }

/**
 * Creates connections that pass the SSRF guard, made directly or through the egress proxy.
 *
 * @param onConnecting called with a function that cancels a connection through the proxy while it is being made
 */
export function createConnections(settings: Settings, onConnecting: (cancel: () => void) => void): Connections {
  const {
    urlPolicy,
    allowLoopback,
    connectTimeoutMs,
    keepAliveMs,
    connectionLifeMs,
    egressProxy,
    verifyCertificates,
    tls,
  } = settings
  const names = createLookup({ servers: settings.dnsServers })
  const isOwn = createOwnAddresses()
  const checkUrl = createCheckUrl(urlPolicy, { allowLoopback })
  // Never through the proxy, whose loopback is another machine's.
  const isProxied = (origin: string): boolean => {
    const check = checkUrl(origin)
    return !(check.ok && check.host === 'loopback')
  }
  const proxy =
    egressProxy === undefined ? undefined : { url: egressProxy, secureContext: tls && contextOf({ ca: tls.ca }) }

  function madeWith(secureContext: SecureContext | undefined): Dispatchers {
    const connecting = { connectTimeoutMs, verifyCertificates, secureContext }
    const guard = createGuard({ urlPolicy, allowLoopback, lookup: names.lookup, isOwn, ...connecting })
    const tunnel = proxy && createTunnel({ proxy, admit: (origin) => checkUrl(origin).ok, ...connecting })
    const dispatchers = createDispatchers(
      () =>
        createDispatcher((...connection) => {
          dispatchers.connecting()
          if (tunnel && isProxied(originOf(connection[0]))) onConnecting(tunnel(...connection))
          else guard(...connection)
        }, keepAliveMs),
      connectionLifeMs,
    )
    return dispatchers
  }

  const shared = madeWith(tls && contextOf(tls))
  const pools = createPools(({ cert = tls?.cert, key = tls?.key, ca }) =>
    madeWith(contextOf({ cert, key, ca: [...(tls?.ca ?? []), ...(ca === undefined ? [] : [ca])] })),
  )
  return {
    shared,
    pools,
    async close() {
      names.close()
      await Promise.all([shared.close(), pools.close()])
    },
  }
}
