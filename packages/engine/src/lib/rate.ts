import { type OutboxDatabase, clock, raw, sqlText } from '@keepsend/outbox'

/** A permit to begin an attempt after `waitMs`, or `none` in sight. */
type Permit = { waitMs: number } | 'none'

/** Permits under the rate limits of endpoints, from one budget in the database that all processes draw on. */
export interface Permits {
  /** Requests of one turn for one endpoint share a statement. */
  take(endpointId: string): Promise<Permit>
}

/** How far ahead permits are given: so long an attempt may wait in hand for its moment. */
const PERMIT_HORIZON_MS = 250

// Microseconds, so that a limit of a thousand a second is a whole number of them.
const HORIZON_US = raw(String(PERMIT_HORIZON_MS * 1000))

export function createPermits(db: OutboxDatabase): Permits {
  const wanted = new Map<string, { count: number; granted: Promise<number[]> }>()

  return {
    async take(endpointId) {
      let request = wanted.get(endpointId)
      if (!request) {
        const fresh = { count: 0, granted: Promise.resolve<number[]>([]) }
        fresh.granted = Promise.resolve().then(() => {
          wanted.delete(endpointId)
          return draw(db, endpointId, fresh.count)
        })
        wanted.set(endpointId, fresh)
        request = fresh
      }
      const place = request.count++
      const waitMs = (await request.granted)[place]
      return waitMs === undefined ? 'none' : { waitMs }
    },
  }
}

/**
 * One statement: whoever draws moves the moment of the next attempt, so two that draw at once get moments of their own.
 * Nothing is saved up while the endpoint is idle. Answers the wait of each permit that was given.
 */
async function draw(db: OutboxDatabase, endpointId: string, count: number): Promise<number[]> {
  const now = sqlText`(${clock()} * 1000)`
  const next = sqlText`case when rate_next_us > ${now} then rate_next_us else ${now} end`
  // Rounded up: never more than the limit.
  const interval = raw('((999999 + rate_limit) / rate_limit)')
  const inSight = sqlText`(((${now} + ${HORIZON_US} - (${next})) / ${interval}) + 1)`
  const asked = raw(String(count))
  const granted = sqlText`case when (${next}) > ${now} + ${HORIZON_US} then 0
    when ${inSight} < ${asked} then ${inSight} else ${asked} end`
  const { rows } = await db.run(sqlText`
    update keepsend_endpoints set rate_granted = ${granted}, rate_next_us = ${next} + (${granted}) * ${interval}
    where id = ${endpointId} and rate_limit is not null
    returning rate_granted as "granted", ${interval} as "interval", rate_next_us as "next", ${now} as "now"`)
  const [row] = rows
  // Deleted, or its limit was lifted: nothing to wait for.
  if (!row) return Array.from({ length: count }, () => 0)
  const [given, apart] = [Number(row['granted']), Number(row['interval'])]
  const first = Number(row['next']) - Number(row['now']) - given * apart
  return Array.from({ length: given }, (_, index) => Math.max(0, first + index * apart) / 1000)
}
