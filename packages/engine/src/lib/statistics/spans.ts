/** The lengths of time that attempts are added up by, the shortest first. */
export const SPANS = ['minute', 'hour', 'day'] as const

/** A minute, an hour or a day, in UTC. */
export type Span = (typeof SPANS)[number]

export const SPAN_MS: Readonly<Record<Span, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }

/** How long the sums of each span are retained, in ms: 2 days, 90 days, 2 years. */
export const SPAN_RETENTION_MS: Readonly<Record<Span, number>> = {
  minute: 2 * SPAN_MS.day,
  hour: 90 * SPAN_MS.day,
  day: 730 * SPAN_MS.day,
}

/** D1 bills each row that is written, and most minutes of most endpoints would be a row for one attempt. */
export function spansOf({ isBilled }: { isBilled: boolean }): readonly Span[] {
  return isBilled ? ['hour', 'day'] : SPANS
}

/** The beginning of the minute, hour or day that a time lies in. */
export function floorTo(span: Span, ms: number): number {
  return Math.floor(ms / SPAN_MS[span]) * SPAN_MS[span]
}
