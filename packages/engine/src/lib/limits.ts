import { type OptionNames, type OptionsOf, withDefaults } from '@keepsend/outbox/internal'
import { checkBounds } from './errors.ts'

/** What a workspace, an endpoint and a request may ask for at most. The table with every other bound is in `docs/bounds.md`. */
export interface Limits {
  /** Endpoints of a workspace: 1–100,000. One more is refused as `too_many_endpoints`. @default 100 */
  endpointsPerWorkspace: number
  /** Event types × channels of an endpoint: 1–500. More are refused as `invalid_endpoint`. @default 100 */
  subscriptionsPerEndpoint: number
  /**
   * Deliveries that one publish makes, all events of a commit together: 1–1,000,000. More are refused as
   * `too_many_deliveries`, and none is made. @default 10_000
   */
  deliveriesPerPublish: number
  /**
   * Deliveries of a workspace that stand in line or are held: 1–10,000,000. From there on each publish is refused as
   * `too_many_waiting`. Looked at once a second at most, so that what is published in that second may pass it.
   *
   * @default 1_000_000
   */
  waitingPerWorkspace: number
  /**
   * Requests of one API key in a second that this process answers: 1–100,000. With an `authenticate` of the host's own, of one
   * workspace. More are refused as `too_many_requests`.
   *
   * @default no limit
   */
  requestsPerSecond: number | undefined
  /**
   * Idempotency records of a workspace that are retained: 1–1,000,000,000. From there on a request with an `Idempotency-Key`
   * is refused as `too_many_idempotency_records`. Looked at once a second at most, and beyond 50,000 estimated from a sample.
   *
   * @default 10_000_000
   */
  idempotencyRecordsPerWorkspace: number
}

export const LIMIT_OPTIONS = {
  endpointsPerWorkspace: 'number',
  subscriptionsPerEndpoint: 'number',
  deliveriesPerPublish: 'number',
  waitingPerWorkspace: 'number',
  requestsPerSecond: 'number',
  idempotencyRecordsPerWorkspace: 'number',
} satisfies OptionNames<Limits>

const DEFAULTS = {
  endpointsPerWorkspace: 100,
  subscriptionsPerEndpoint: 100,
  deliveriesPerPublish: 10_000,
  waitingPerWorkspace: 1_000_000,
  requestsPerSecond: undefined,
  idempotencyRecordsPerWorkspace: 10_000_000,
} satisfies Limits

const MOST: Record<keyof Limits, number> = {
  endpointsPerWorkspace: 100_000,
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
