import type { Endpoint, ReplayPlan } from '@keepsend/engine'
import { showSpan } from '../../reader/durations.ts'
import type { Reader } from '../../reader/reader.ts'

const DAY_MS = 86_400_000
const PERIODS = { second: 1000, minute: 60_000, hour: 3_600_000 }

/** `11:20 UTC`, and before that the day, if it is longer ago than one. */
export function sinceWhen(ms: number, { times, now }: Reader): string {
  const time = `${times.minute(ms)} ${times.zone}`
  return now - ms < DAY_MS ? time : `${times.day(ms)}, ${time}`
}

/** `20 a second`; undefined without a rate limit. */
export function rateOf({ rateLimit, ratePeriod }: Endpoint, { text }: Reader): string | undefined {
  return rateLimit === null ? undefined : text(`rate.${ratePeriod}`, { n: rateLimit })
}

/** How long the rate limit of an endpoint lets so many deliveries take; undefined without one. */
export function takesAbout(
  { rateLimit, ratePeriod }: Endpoint,
  { planned }: Pick<ReplayPlan, 'planned'>,
  { text }: Reader,
): string | undefined {
  if (rateLimit === null) return undefined
  return showSpan(Math.max(1000, (planned / rateLimit) * PERIODS[ratePeriod]), text)
}

/** The host of an endpoint. */
export function hostOf({ url }: Pick<Endpoint, 'url'>): string {
  return new URL(url).host
}
