import { DAYS, LARGE, SMALL, endpointOf } from './fill.ts'

/** A request to the HTTP API, with another position at each repetition. */
export interface HistoryRequest {
  name: string
  workspaceId: string
  /** @param at the number of the repetition */
  path: (at: number, now: number) => string
}

const DAY_MS = 86_400_000
const PAGE = 'limit=50'

/** A time within the retained days, another at each repetition. */
function timeAt(at: number, now: number): string {
  return new Date(now - ((at * 7919) % ((DAYS - 1) * 1440)) * 60_000).toISOString()
}

/** Every list, and the pairs of filters that read most. */
export const REQUESTS: readonly HistoryRequest[] = [
  { name: 'attempts of the large workspace', workspaceId: LARGE, path: (at, now) => before('/attempts', at, now) },
  { name: 'attempts of a small workspace', workspaceId: SMALL, path: () => `/attempts?${PAGE}` },
  {
    name: 'attempts of an endpoint',
    workspaceId: LARGE,
    path: (at, now) => `${before('/attempts', at, now)}&endpointId=${endpointOf(at)}`,
  },
  {
    name: 'unsuccessful attempts',
    workspaceId: LARGE,
    path: () => `/attempts?${PAGE}&outcome=unsuccessful`,
  },
  {
    name: 'unsuccessful attempts of an endpoint',
    workspaceId: LARGE,
    path: (at) => `/attempts?limit=5&outcome=unsuccessful&endpointId=${endpointOf(at)}`,
  },
  {
    name: 'attempts of one error class',
    workspaceId: LARGE,
    path: () => `/attempts?limit=10&outcome=unsuccessful&errorClass=timeout`,
  },
  {
    name: 'attempts with one HTTP status',
    workspaceId: LARGE,
    path: () => `/attempts?limit=10&outcome=unsuccessful&httpStatus=404`,
  },
  {
    name: 'attempts of a common type',
    workspaceId: LARGE,
    path: (at, now) => `${before('/attempts', at, now)}&type=type.${at % 49}`,
  },
  {
    name: 'attempts of a rare type (reads its 2,000 rows)',
    workspaceId: LARGE,
    path: (at, now) => `${before('/attempts', at, now)}&type=rare`,
  },
  {
    name: 'a rare type and one status (the worst pair)',
    workspaceId: LARGE,
    path: (at, now) => `${before('/attempts', at, now)}&type=rare&httpStatus=404`,
  },
  {
    name: 'attempts of an hour',
    workspaceId: LARGE,
    path(at, now) {
      const until = Date.parse(timeAt(at, now))
      return `/attempts?limit=5&since=${new Date(until - 3_600_000).toISOString()}&until=${new Date(until).toISOString()}`
    },
  },
  { name: 'deliveries of the large workspace', workspaceId: LARGE, path: () => `/deliveries?${PAGE}` },
  { name: 'failed deliveries', workspaceId: LARGE, path: () => `/deliveries?${PAGE}&status=failed` },
  {
    name: 'failed deliveries of an endpoint',
    workspaceId: LARGE,
    path: (at) => `/deliveries?limit=5&status=failed&endpointId=${endpointOf(at)}`,
  },
  { name: 'delivered deliveries', workspaceId: LARGE, path: () => `/deliveries?${PAGE}&status=completed` },
  { name: 'events', workspaceId: LARGE, path: (at, now) => before('/events', at, now) },
  { name: 'problems', workspaceId: LARGE, path: () => '/problems?limit=20' },
  { name: 'a chart of 24 hours', workspaceId: LARGE, path: (_, now) => chart(now, 1, 'hour') },
  { name: 'a chart of 28 days', workspaceId: LARGE, path: (_, now) => chart(now, DAYS, 'day') },
  {
    name: 'a chart of an endpoint, 24 hours',
    workspaceId: LARGE,
    path: (at, now) => `${chart(now, 1, 'hour')}&endpointId=${endpointOf(at)}`,
  },
  {
    name: 'figures of 50 endpoints',
    workspaceId: LARGE,
    path(_, now) {
      const ids = Array.from({ length: 50 }, (_unused, number) => endpointOf(number)).join(',')
      return `/statistics/endpoints?since=${new Date(now - DAY_MS).toISOString()}&endpointIds=${ids}`
    },
  },
]

function chart(now: number, days: number, by: 'hour' | 'day'): string {
  return `/statistics?since=${new Date(now - days * DAY_MS).toISOString()}&by=${by}`
}

function before(path: string, at: number, now: number): string {
  return `${path}?${PAGE}&until=${timeAt(at, now)}&since=${new Date(now - DAYS * DAY_MS).toISOString()}`
}
