import { type OptionNames, type OptionsOf, withDefaults } from '@keepsend/outbox/internal'
import { checkBounds } from './errors.ts'

/** Upper limits of a workspace, an endpoint and a request. `docs/bounds.md` lists every other bound. */
export interface Limits {
  /** Endpoints in a workspace: 1–100,000. One more is refused with `too_many_endpoints`. @default 100 */
  endpointsPerWorkspace: number
  /**
   * API keys in a workspace that have not expired: 1–100,000. One more is refused with `too_many_api_keys`. A rotation may exceed it,
   * up to twice as many.
   *
   * @default 100
   */
  apiKeysPerWorkspace: number
  /**
   * Portal links of a workspace that can be opened: 1–100,000. One more is refused with `too_many_portal_links`. @default 1_000
   */
  portalLinksPerWorkspace: number
  /** Event types × channels of an endpoint: 1–500. More are refused with `invalid_endpoint`. @default 100 */
  subscriptionsPerEndpoint: number
  /**
   * Deliveries of one publish, all events of a commit together: 1–1,000,000. More are refused with `too_many_deliveries`, and
   * none is inserted. @default 10_000
   */
  deliveriesPerPublish: number
  /**
   * Deliveries of a workspace that are due or held: 1–10,000,000. At the limit each publish is refused with
   * `too_many_waiting`. Counted at most once a second, so the publishes of one second may exceed it.
   *
   * @default 1_000_000
   */
  waitingPerWorkspace: number
  /**
   * Requests a second that this process answers for one API key, or for one workspace if the host has its own `authenticate`:
   * 1–100,000. More are refused with `too_many_requests`.
   *
   * @default no limit
   */
  requestsPerSecond: number | undefined
  /**
   * Retained idempotency records of a workspace: 1–1,000,000,000. At the limit a request with an `Idempotency-Key` is refused
   * with `too_many_idempotency_records`. Counted at most once a second, and beyond 50,000 estimated from a sample.
   *
   * @default 10_000_000
   */
  idempotencyRecordsPerWorkspace: number
}

export const LIMIT_OPTIONS = {
  endpointsPerWorkspace: 'number',
  apiKeysPerWorkspace: 'number',
  portalLinksPerWorkspace: 'number',
  subscriptionsPerEndpoint: 'number',
  deliveriesPerPublish: 'number',
  waitingPerWorkspace: 'number',
  requestsPerSecond: 'number',
  idempotencyRecordsPerWorkspace: 'number',
} satisfies OptionNames<Limits>

const DEFAULTS = {
  endpointsPerWorkspace: 100,
  apiKeysPerWorkspace: 100,
  portalLinksPerWorkspace: 1000,
  subscriptionsPerEndpoint: 100,
  deliveriesPerPublish: 10_000,
  waitingPerWorkspace: 1_000_000,
  requestsPerSecond: undefined,
  idempotencyRecordsPerWorkspace: 10_000_000,
} satisfies Limits

const MOST: Record<keyof Limits, number> = {
  endpointsPerWorkspace: 100_000,
  apiKeysPerWorkspace: 100_000,
  portalLinksPerWorkspace: 100_000,
  subscriptionsPerEndpoint: 500,
  deliveriesPerPublish: 1_000_000,
  waitingPerWorkspace: 10_000_000,
  requestsPerSecond: 100_000,
  idempotencyRecordsPerWorkspace: 1_000_000_000,
}

/** @throws {EngineError} `invalid_option`, naming option, bound and value */
export function readLimits(options: OptionsOf<Limits> = {}): Limits {
  const whole: Limits = withDefaults(options, DEFAULTS)
  for (const name of Object.keys(MOST) as (keyof Limits)[]) {
    const value = whole[name]
    if (value !== undefined) checkBounds(`limits.${name}`, value, 1, MOST[name])
  }
  return whole
}
