import type { OutboxDatabase } from '@keepsend/outbox'
import { clock, raw, sqlText } from '@keepsend/outbox/internal'

/** The period of a rate limit. */
export type RatePeriod = (typeof RATE_PERIODS)[number]

export const RATE_PERIODS = ['second', 'minute', 'hour'] as const

/** A permit to begin an attempt after `waitMs`; or a refusal: ask again after `nextMs`, in time for the next slot time. */
export type Permit = { kind: 'granted'; waitMs: number } | { kind: 'refused'; nextMs: number }

/** Gives permits under the rate limits of endpoints, from one budget in the database that all processes share. */
export interface Permits {
  /** Takes a permit. Calls in one event-loop tick for one endpoint share a statement. */
  take(endpointId: string): Promise<Permit>
}

/** How far ahead permits are granted, in ms: the longest that an attempt waits for its slot time. */
const PERMIT_HORIZON_MS = 250

// In microseconds, and an eightieth longer than the real period: even if an attempt begins up to 1.25% of the period after
// its slot time, no window contains more attempts than the limit allows. 98.7% of the limit is reached.
const PERIOD_US = { second: 1_012_500, minute: 60_750_000, hour: 3_645_000_000 } satisfies Record<RatePeriod, number>

const HORIZON_US = raw(String(PERMIT_HORIZON_MS * 1000))

/** How much later than its slot time an attempt may begin, in ms: less than the eightieth that is added to the period. */
export function slackMs(ratePeriod: RatePeriod): number {
  return periodUs(ratePeriod) / 100_000
}

/** The interval between attempts under a rate limit, in ms. */
export function spacingMs(rateLimit: number, ratePeriod: RatePeriod): number {
  return periodUs(ratePeriod) / rateLimit / 1000
}

/** A period that was damaged by hand is read as a second, as in {@link drawPermits}. */
function periodUs(ratePeriod: RatePeriod): number {
  return PERIOD_US[RATE_PERIODS.includes(ratePeriod) ? ratePeriod : 'second']
}

/** @param now returns the time, ms since the epoch; by default the database's clock is used */
export function createPermits(db: OutboxDatabase, now?: () => number): Permits {
  const pending = new Map<string, { count: number; permits: Promise<Permit[]> }>()

  return {
    async take(endpointId) {
      let request = pending.get(endpointId)
      if (!request) {
        const fresh = { count: 0, permits: Promise.resolve<Permit[]>([]) }
        fresh.permits = Promise.resolve().then(() => {
          pending.delete(endpointId)
          return drawPermits(db, endpointId, fresh.count, now?.())
        })
        pending.set(endpointId, fresh)
        request = fresh
      }
      const place = request.count++
      return (await request.permits)[place] ?? { kind: 'granted', waitMs: 0 }
    },
  }
}

/**
 * Draws permits in one statement: it advances the endpoint's next slot time atomically, so two concurrent draws get different
 * slot times. Unused capacity does not accumulate while the endpoint is idle. Returns a permit for each request, in order.
 */
async function drawPermits(db: OutboxDatabase, endpointId: string, count: number, time?: number): Promise<Permit[]> {
  const { least, greatest, clockAfterLock } = db.dialect
  const { second, minute, hour } = PERIOD_US
  const now = sqlText`(${time === undefined ? clockAfterLock : clock(time)} * 1000)`
  const interval = raw(
    `((case rate_period when 'hour' then ${hour} when 'minute' then ${minute} else ${second} end) / rate_limit)`,
  )
  // A draw never leaves a later slot time than this. If one is stored, the clock was ahead, or the limit was lower then.
  const latest = sqlText`now + ${HORIZON_US} + apart`
  const next = sqlText`${greatest}(now, ${least}(stored, ${latest}))`
  const granted = sqlText`case when ${next} > now + ${HORIZON_US} then 0
    else ${least}((now + ${HORIZON_US} - ${next}) / apart + 1, ${raw(String(count))}) end`
  // The clock is read once the row is locked. At the start of the statement, a draw that then waited for another would take slot
  // times that the other had granted, and store an earlier one. SQLite needs neither table, and takes 3 µs more for them.
  const { rows } = await db.run(sqlText`
    with locked as materialized (
      select id as drawn_id, rate_next_us as stored, ${interval} as apart from keepsend_endpoints as endpoint
      where id = ${endpointId} and rate_limit is not null ${db.dialect.lock('change', 'endpoint')}),
    drawn as materialized (
      select drawn_id, stored, apart, ${now} as now from locked)
    update keepsend_endpoints set rate_granted = ${granted}, rate_next_us = ${next} + (${granted}) * apart
    from drawn where id = drawn_id
    returning rate_granted as "granted", ${interval} as "interval", rate_next_us as "next", ${now} as "now"`)
  const [row] = rows
  // The endpoint was deleted, or has no limit any more: nothing to wait for.
  if (!row) return []
  const [grantedCount, intervalUs] = [Number(row['granted']), Number(row['interval'])]
  const firstUs = Number(row['next']) - Number(row['now']) - grantedCount * intervalUs
  return Array.from({ length: count }, (_, place) => {
    const inMs = (firstUs + place * intervalUs) / 1000
    return place < grantedCount
      ? { kind: 'granted', waitMs: Math.max(0, inMs) }
      : { kind: 'refused', nextMs: Math.max(1, inMs - PERMIT_HORIZON_MS) }
  })
}
