import { runAlone } from '../alone.ts'
import type { Kind } from '../fill.ts'
import type { Place } from '../stores.ts'
import { type Bar, type Bench, type Findings, type Row, median, ratio } from '../work.ts'

/** A table of its own, and what waits in it. */
export interface Backlog {
  place: string
  kind: Kind
  count: number
}

/** What processes/backlog.ts is asked. */
export interface BacklogAsk {
  on: 'sqlite' | 'postgres'
  backlogs: Backlog[]
  rounds: number
  /** Claims and settles a round. */
  steps: number
}

/** For each backlog, every step. */
export type BacklogFound = { round: number; ms: number }[][]

const KINDS = {
  pending: 'pending',
  exhausted: 'with their attempts used up (claimed and buried)',
  failed: 'failed, beside 1000 pending',
  held: 'held, beside 1000 pending',
}

/** Claim 25 and settle 25, whatever else is in the table. On SQLite (FULL) and on Postgres. */
export async function backlog(bench: Bench): Promise<Findings> {
  const [small, middle, large] = bench.quick ? [1000, 5000, 20_000] : [1000, 100_000, 1_000_000]
  const sizes: { kind: Kind; count: number }[] = [
    { kind: 'pending', count: small },
    { kind: 'pending', count: middle },
    { kind: 'pending', count: large },
    { kind: 'exhausted', count: large },
    { kind: 'failed', count: large },
    { kind: 'held', count: large },
  ]
  const rows: Row[] = []
  const bars: Bar[] = []
  const missing: Record<string, string> = {}
  const growth: { on: string; pending: number; ms: number }[] = []
  for (const on of ['sqlite', 'postgres'] as const) {
    const title = on === 'sqlite' ? 'SQLite FULL' : 'Postgres'
    bench.say(`  ${title}: filling ${sizes.map(({ count }) => count).join(', ')} rows`)
    const places: Place[] = []
    try {
      for (const _ of sizes) places.push(await bench.stores.take(on === 'sqlite' ? 'folder' : 'postgres'))
      const backlogs = sizes.map((size, at) => ({ ...size, place: places[at]?.at ?? '' }))
      const ask: BacklogAsk = { on, backlogs, rounds: bench.rounds, steps: bench.quick ? 20 : 100 }
      const found = await runAlone<BacklogFound>('backlog', ask)
      const medians = found.map((steps) => medianOfRounds(steps, bench.rounds))
      const [base] = medians
      for (const [at, { kind, count }] of sizes.entries()) {
        const ms = medians[at]
        if (ms === undefined) continue
        const name = `${title}, ${count} ${KINDS[kind]}`
        rows.push({ name, figures: { ms, [`of ${small} pending`]: ratio(ms, base) ?? Number.NaN } })
        if (kind === 'pending') growth.push({ on: title, pending: count, ms })
        if (count !== small) bars.push({ what: `backlog: ${name}`, found: ratio(ms, base), should: { atMost: 1.3 } })
      }
    } catch (error) {
      missing[title] = `failed: ${error instanceof Error ? error.message : String(error)}`
      bars.push({ what: `backlog: ${title}`, found: undefined, should: { atMost: 1.3 } })
    } finally {
      for (const place of places) await place.release()
    }
  }
  return {
    title: 'backlog: claim 25 and settle 25, two commits, beside rows of 500 bytes',
    rows,
    bars,
    missing,
    data: growth,
  }
}

function medianOfRounds(steps: readonly { round: number; ms: number }[], rounds: number): number {
  const byRound = Array.from({ length: rounds }, (_, round) => steps.filter((step) => step.round === round))
  return median(byRound.map((its) => median(its.map(({ ms }) => ms))))
}
