import type { UrlPolicy } from '@keepsend/engine'
import { createCheckUrl, isAddress } from '@keepsend/engine/internal'
import cases from '../../../test/ssrf-cases.json' with { type: 'json' }

/** One line of the file: a URL, the addresses of its name, and the expected result. */
export interface GuardCase {
  url: string
  stage: 'url' | 'address' | 'dns' | 'connect' | 'redirect'
  expected: 'allow' | 'block'
  why: string
  canonicalHost: string | null
  resolvesTo?: string[]
  redirect?: { status: number; location: string }
}

export const guardCases = cases as GuardCase[]

/** The result of one POST: refused by the guard, answered, or another, and the addresses where connections were accepted. */
export interface Attempt {
  outcome: 'refused' | 'answered' | 'network'
  connectedTo: string[]
}

/** The environment of the cases. */
export interface Ground {
  /** Sends with the sender only, without the engine's URL stage. */
  attempt(url: string, one: GuardCase, policy: UrlPolicy): Promise<Attempt>
  /** Whether a connection without the guard is accepted there. */
  reachable(address: string, port: number): Promise<boolean>
  /** Sets the addresses that later look-ups return. */
  resolveTo(name: string, addresses: readonly string[]): void
}

/** The counts of results, and the failures. */
export interface Report {
  allowed: number
  /** Refused, where a connection without the guard was accepted: the guard made the difference. */
  refusedWhereReachable: number
  /** Refused where there is nothing to connect to, or the system refuses by itself. */
  refusedWhereNot: number
  /** Redirects that were not followed: one connection, to the receiver that redirects. */
  redirects: number
  failures: string[]
}

const FIRST_ANSWER = '93.184.215.14'

/** Tries every case: with the URL stage and the sender, like an attempt, and with the sender only. */
export async function judgeCases(ground: Ground, scheme: 'http' | 'https'): Promise<Report> {
  const policy: UrlPolicy = scheme === 'http' ? { allowHttp: true } : {}
  const checkUrl = createCheckUrl(policy)
  const report: Report = { allowed: 0, refusedWhereReachable: 0, refusedWhereNot: 0, redirects: 0, failures: [] }

  for (const one of guardCases) {
    const url = scheme === 'http' ? one.url.replace(/^https:/i, 'http:') : one.url
    const fail = (what: string, attempt?: Attempt) =>
      void report.failures.push(`${url} (${one.why}): ${what}${attempt ? `, ${JSON.stringify(attempt)}` : ''}`)
    const host = (one.canonicalHost ?? '').replace(/\.$/, '')
    const literal = isAddress(host) ? [host.replace(/^\[|\]$/g, '')] : []
    const targets = one.resolvesTo ?? literal

    if (one.stage === 'connect') {
      ground.resolveTo(host, [FIRST_ANSWER])
      const first = await ground.attempt(url, one, policy)
      if (first.outcome !== 'answered' || !sameAddresses(first.connectedTo, [FIRST_ANSWER])) {
        fail('the first answer was public', first)
      }
    }
    ground.resolveTo(host, targets)
    const check = checkUrl(url)

    if (one.expected === 'allow' || one.stage === 'redirect') {
      if (!check.ok) fail(`refused by the URL stage as ${check.reason}`)
      const attempt = await ground.attempt(url, one, policy)
      if (attempt.outcome !== 'answered' || attempt.connectedTo.length !== 1) fail('not answered once', attempt)
      if (!attempt.connectedTo.every((address) => targets.some((target) => sameAddress(address, target)))) {
        fail('connected to another address', attempt)
      }
      if (one.stage === 'redirect') report.redirects++
      else report.allowed++
      continue
    }

    // Only the URL stage sees a password; the rest of the URL may be allowed.
    const leftToUrlStage = !check.ok && check.reason === 'credentials' && literal.length === 0
    if (!leftToUrlStage) {
      const attempt = await ground.attempt(url, one, policy)
      if (attempt.connectedTo.length > 0) fail('connected', attempt)
      if (attempt.outcome !== (URL.canParse(url) ? 'refused' : 'network')) fail('not refused', attempt)
    }
    const port = Number(URL.parse(url)?.port) || (scheme === 'http' ? 80 : 443)
    const reachable = await Promise.all(targets.map((address) => ground.reachable(address, port)))
    if (reachable.includes(true)) report.refusedWhereReachable++
    else report.refusedWhereNot++
  }
  return report
}

function sameAddresses(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((one, index) => sameAddress(one, others[index] ?? ''))
}

/** Whether two spellings are the same address. */
export function sameAddress(one: string, other: string): boolean {
  return spelling(one) === spelling(other)
}

function spelling(address: string): string {
  return new URL(`http://[${address.includes(':') ? address : `::ffff:${address}`}]`).hostname
}
