import type { OutboxDatabase } from '@keepsend/outbox'
import { clock, raw, sqlText } from '@keepsend/outbox/internal'

/** What a rate limit is per. */
export type RatePeriod = (typeof RATE_PERIODS)[number]

export const RATE_PERIODS = ['second', 'minute', 'hour'] as const

/** A permit to begin an attempt after `waitMs`; or none yet: ask again after `nextMs`, in time for the next one. */
export type Permit = { kind: 'granted'; waitMs: number } | { kind: 'refused'; nextMs: number }

/** Permits under the rate limits of endpoints, from one budget in the database that all processes draw on. */
export interface Permits {
  /** Requests of one event-loop tick for one endpoint share a statement. */
  take(endpointId: string): Promise<Permit>
}

/** How far ahead permits are granted: so long an attempt may wait for its slot time. */
const PERMIT_HORIZON_MS = 250

// In microseconds, and an eightieth longer than they are: where one attempt begins later than the next by up to 1.25% of
// the period, every window still holds no more than the limit, and 98.7% of it is reached.
const PERIOD_US = { second: 1_012_500, minute: 60_750_000, hour: 3_645_000_000 } satisfies Record<RatePeriod, number>

const HORIZON_US = raw(String(PERMIT_HORIZON_MS * 1000))

/** How much later than its slot time an attempt may begin, in ms: within the eightieth that slot times are further apart. */
export function slackMs(ratePeriod: RatePeriod): number {
  return periodUs(ratePeriod) / 100_000
}

/** How far apart attempts are under a rate limit, in ms. */
export function spacingMs(rateLimit: number, ratePeriod: RatePeriod): number {
  return periodUs(ratePeriod) / rateLimit / 1000
}

/** One that was broken by hand is a second, as in {@link draw}. */
function periodUs(ratePeriod: RatePeriod): number {
  return PERIOD_US[RATE_PERIODS.includes(ratePeriod) ? ratePeriod : 'second']
}

/** @param now the time to go by, ms since the epoch; by default the database's clock */
export function createPermits(db: OutboxDatabase, now?: () => number): Permits {
  const wanted = new Map<string, { count: number; permits: Promise<Permit[]> }>()

  return {
    async take(endpointId) {
      let request = wanted.get(endpointId)
      if (!request) {
        const fresh = { count: 0, permits: Promise.resolve<Permit[]>([]) }
        fresh.permits = Promise.resolve().then(() => {
          wanted.delete(endpointId)
          return draw(db, endpointId, fresh.count, now?.())
        })
        wanted.set(endpointId, fresh)
        request = fresh
      }
      const place = request.count++
      return (await request.permits)[place] ?? { kind: 'granted', waitMs: 0 }
    },
  }
}

/**
 * One statement: each draw moves the slot time of the next attempt, so two concurrent draws get slot times of their own.
 * Nothing is saved up while the endpoint is idle. Answers a permit for each request, in order.
 */
async function draw(db: OutboxDatabase, endpointId: string, count: number, time?: number): Promise<Permit[]> {
  const { least, greatest } = db.dialect
  const now = sqlText`(${clock(time)} * 1000)`
  const { second, minute, hour } = PERIOD_US
  const interval = raw(
    `((case rate_period when 'hour' then ${hour} when 'minute' then ${minute} else ${second} end) / rate_limit)`,
  )
  // No draw by a clock that was right leaves a later one: the clock was ahead, or the limit was lower then.
  const latest = sqlText`${now} + ${HORIZON_US} + ${interval}`
  const next = sqlText`${greatest}(${now}, ${least}(rate_next_us, ${latest}))`
  const inSight = sqlText`((${now} + ${HORIZON_US} - ${next}) / ${interval} + 1)`
  const granted = sqlText`case when ${next} > ${now} + ${HORIZON_US} then 0
    else ${least}(${inSight}, ${raw(String(count))}) end`
  const { rows } = await db.run(sqlText`
    update keepsend_endpoints set rate_granted = ${granted}, rate_next_us = ${next} + (${granted}) * ${interval}
    where id = ${endpointId} and rate_limit is not null
    returning rate_granted as "granted", ${interval} as "interval", rate_next_us as "next", ${now} as "now"`)
  const [row] = rows
  // Deleted, or its limit was lifted: nothing to wait for.
  if (!row) return []
  const [given, apart] = [Number(row['granted']), Number(row['interval'])]
  const first = Number(row['next']) - Number(row['now']) - given * apart
  return Array.from({ length: count }, (_, place) => {
    const inMs = (first + place * apart) / 1000
    return place < given
      ? { kind: 'granted', waitMs: Math.max(0, inMs) }
      : { kind: 'refused', nextMs: Math.max(1, inMs - PERMIT_HORIZON_MS) }
  })
}
