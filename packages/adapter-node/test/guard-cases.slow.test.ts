import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { createGuard } from '../src/lib/http/ssrf-guard.ts'
import { type Attempt, type Report, guardCases, judgeCases } from './guard-cases.ts'
import type { NamespaceReport } from './guard-namespace-process.ts'
import { NOT_POSSIBLE, namespaceCommand } from './namespace.ts'
import { notingSockets } from './noting-sockets.ts'
import { PATIENCE_MS } from './rig.ts'

it.each(['http', 'https'] as const)(
  'every case, over %s, is judged by the connector as it should be',
  async (scheme) => {
    const names = new Map<string, readonly string[]>()
    const report = await judgeCases(
      {
        resolveTo: (name, addresses) => void names.set(name, addresses),
        reachable: async () => true,
        async attempt(href, _, urlPolicy): Promise<Attempt> {
          const connectedTo: string[] = []
          const url = URL.parse(href)
          if (!url) return { outcome: 'network', connectedTo }
          const guard = createGuard({
            urlPolicy,
            connectTimeoutMs: 1000,
            isOwn: () => false,
            build: notingSockets(connectedTo),
            lookup: async (name) =>
              (names.get(name.replace(/\.$/, '')) ?? []).map((address) => ({
                address,
                family: address.includes(':') ? 6 : 4,
              })),
          })
          const hostname = url.hostname.replace(/^\[|\]$/g, '')
          return new Promise((resolve) => {
            guard({ hostname, host: url.host, protocol: url.protocol, port: url.port }, (...[error]) => {
              const outcome = error?.message === 'address not allowed' ? 'refused' : 'answered'
              // These sockets always fail, and then the next address is tried.
              resolve({ outcome, connectedTo: outcome === 'answered' ? connectedTo.slice(0, 1) : connectedTo })
            })
          })
        },
      },
      scheme,
    )
    expectEveryCase(report)
    // Here every name with an address counts as reachable.
    expect(report).toMatchObject({ refusedWhereReachable: 127, refusedWhereNot: 17 })
  },
)

function expectEveryCase(report: Report): void {
  expect(report.failures).toEqual([])
  expect(report).toMatchObject({ allowed: 37, redirects: 8 })
  expect(report.allowed + report.redirects + report.refusedWhereReachable + report.refusedWhereNot).toBe(
    guardCases.length,
  )
}

/** The report of the process in its own network namespace, or undefined if the system allows none. */
async function runInNamespace(): Promise<NamespaceReport | undefined> {
  const [command, ...args] = namespaceCommand() ?? []
  if (command === undefined) return undefined
  const script = fileURLToPath(new URL('guard-namespace-process.ts', import.meta.url))
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: fileURLToPath(new URL('receiver.pem', import.meta.url)) }
  try {
    const node = [process.execPath, '--conditions=@keepsend/source', script]
    const { stdout } = await promisify(execFile)(command, [...args, ...node], { env })
    return JSON.parse(stdout) as NamespaceReport
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === NOT_POSSIBLE) return undefined
    throw error
  }
}

it(
  'every case is refused or connected as expected, with real sockets where every address is this machine',
  { timeout: PATIENCE_MS },
  async () => {
    const ran = await runInNamespace()
    if (!ran) {
      console.log(
        `guard: no network namespace here; all ${guardCases.length} cases were judged by the connector with an injected resolver and sockets that only note, over http and https (above)`,
      )
      return
    }
    for (const [scheme, report] of Object.entries({ http: ran.http, https: ran.https })) {
      expectEveryCase(report)
      // Most refused cases would have been connected without the guard; otherwise the test would prove nothing.
      expect(report.refusedWhereReachable).toBeGreaterThanOrEqual(100)
      console.log(
        `guard: ${guardCases.length} cases over ${scheme} in a network namespace: ${report.allowed + report.redirects} let through and ${report.refusedWhereReachable} refused, by whether a TCP connection was accepted; ${report.refusedWhereNot} refused by the guard where the system itself would not connect`,
      )
    }
    expect(ran.elsewhere).toEqual([])
    expect(ran.own).toEqual({
      '93.184.216.99': 'refused',
      'own.attacker.example.net': 'refused',
      '93.184.215.14': 'answered',
    })
  },
)
