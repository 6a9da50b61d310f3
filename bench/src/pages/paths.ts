import { LARGE, endpointOf } from '../history/fill.ts'

/** A page, at another row at each repetition. */
export interface BenchPage {
  name: string
  of: 'dashboard' | 'portal'
  /** @param at the number of the repetition @param failed the ids of failed deliveries of the large workspace */
  path: (at: number, failed: readonly string[]) => string
}

const idAt = (at: number, ids: readonly string[]): string => ids[at % ids.length] ?? ''

/** The pages that read most; all filters of a list are in `bench history`. */
export const PAGES: readonly BenchPage[] = [
  { name: 'overview', of: 'dashboard', path: () => '' },
  { name: 'deliveries', of: 'dashboard', path: () => '/deliveries' },
  { name: 'failed deliveries', of: 'dashboard', path: () => '/deliveries?status=failed' },
  { name: 'a failed delivery', of: 'dashboard', path: (at, failed) => `/deliveries/${idAt(at, failed)}` },
  { name: 'endpoints', of: 'dashboard', path: () => '/endpoints' },
  { name: 'an endpoint', of: 'dashboard', path: (at) => `/endpoints/${LARGE}/${endpointOf(at)}` },
  { name: 'problems', of: 'dashboard', path: () => '/problems' },
  { name: 'workspaces', of: 'dashboard', path: () => '/workspaces' },
  { name: 'a workspace', of: 'dashboard', path: () => `/workspaces/${LARGE}` },
  { name: 'portal: endpoints', of: 'portal', path: () => '' },
  { name: 'portal: an endpoint', of: 'portal', path: (at) => `/endpoints/${endpointOf(at)}` },
  { name: 'portal: a failed delivery', of: 'portal', path: (at, failed) => `/deliveries/${idAt(at, failed)}` },
  { name: 'portal: event types', of: 'portal', path: () => '/events' },
]
