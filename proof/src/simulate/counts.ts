/** Situations that stories must reach, as in the report: a rule that was never tested is not proven. */
export const COUNTED = [
  'deliveries acknowledged in workspace w',
  'deliveries acknowledged in workspace v',
  'accepted more than once',
  'rows inserted again',
  'rows held for a pause',
  'rows resumed after a pause',
  'expired',
] as const

export type Counts = Record<(typeof COUNTED)[number], number>

export function noCounts(): Counts {
  return Object.fromEntries(COUNTED.map((name) => [name, 0])) as Counts
}

export function add(sum: Counts, more: Counts): void {
  for (const name of COUNTED) sum[name] += more[name]
}
