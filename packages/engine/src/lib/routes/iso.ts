/** A time that no calendar has, because it was broken by hand, is shown as the nearest that one has. */
export function iso(ms: number): string {
  return new Date(Math.max(-MAX_TIME_MS, Math.min(ms, MAX_TIME_MS))).toISOString()
}

const MAX_TIME_MS = 8_640_000_000_000_000
