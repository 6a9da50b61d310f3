import { runAlone } from '../alone.ts'
import { type Bench, type Findings, median } from '../workload.ts'

/** The options of processes/overhead.ts. */
export interface OverheadAsk {
  rounds: number
  /** In a round, one after the other. */
  requests: number
}

/** The p50 of each round, in µs. */
export type OverheadFound = Record<'plain' | 'none' | 'one', number[]>

/** A route that inserts a row, without Keepsend and with `commitWithEvents`; one request at a time, in process. */
export async function overhead(bench: Bench): Promise<Findings> {
  const ask: OverheadAsk = { rounds: bench.rounds, requests: bench.quick ? 300 : 2000 }
  const found = await runAlone<OverheadFound>('overhead', ask)
  const [plain, none, one] = [median(found.plain), median(found.none), median(found.one)]
  const row = (name: string, p50: number) => ({ name, figures: { 'p50 µs': p50, 'more µs': p50 - plain } })
  return {
    title: `overhead: ${ask.requests} requests a round to a route that inserts a row, SQLite FULL, one fsync each`,
    rows: [
      row('drizzle insert, no Keepsend', plain),
      row('commitWithEvents, no event', none),
      row('commitWithEvents, one event for one endpoint', one),
    ],
    missing: {},
    targets: [
      {
        what: 'overhead: µs at the p50 that commitWithEvents with an event adds to the plain insert',
        found: one - plain,
        should: { atMost: 100 },
      },
      {
        what: 'overhead: µs at the p50 that the event adds to the same commit without it',
        found: one - none,
        should: { atMost: 100 },
      },
    ],
  }
}
