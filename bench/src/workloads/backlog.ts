import { runAlone } from '../alone.ts'
import type { Kind } from '../fill.ts'
import type { Place } from '../stores.ts'
import { type Bench, type Findings, type Row, type Target, median, ratio } from '../workload.ts'

/** A table of its own, with its waiting rows. */
export interface Backlog {
  place: string
  kind: Kind
  count: number
  /** Workspaces that have them in turn. @default one lane has them all */
  workspaces?: number | undefined
}

/** The options of processes/backlog.ts. */
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
  exhausted: 'whose attempts are exhausted (claimed and marked failed)',
  failed: 'failed, beside 1000 pending',
  held: 'held, beside 1000 pending',
  waiting: 'that are due tomorrow, beside one event of another workspace',
}

interface Size extends Omit<Backlog, 'place'> {
  /** Index, in the list, of the one that it is compared with. */
  base: number
}

/** Claim 25 and settle 25, beside different backlogs. On SQLite (FULL) and on Postgres. */
export async function backlog(bench: Bench): Promise<Findings> {
  const [small, middle, large] = bench.quick ? [1000, 5000, 20_000] : [1000, 100_000, 1_000_000]
  const workspaces = bench.quick ? 1000 : 10_000
  const sizes: Size[] = [
    { kind: 'pending', count: small, base: 0 },
    { kind: 'pending', count: middle, base: 0 },
    { kind: 'pending', count: large, base: 0 },
    { kind: 'exhausted', count: large, base: 0 },
    { kind: 'failed', count: large, base: 0 },
    { kind: 'held', count: large, base: 0 },
    // A claim takes one row from each of 25 workspaces, whatever there is beside them.
    { kind: 'pending', count: small, workspaces: 100, base: 6 },
    { kind: 'pending', count: middle, workspaces, base: 6 },
    { kind: 'pending', count: large, workspaces, base: 6 },
    { kind: 'waiting', count: small, workspaces: 100, base: 9 },
    { kind: 'waiting', count: large, workspaces, base: 9 },
  ]
  const rows: Row[] = []
  const targets: Target[] = []
  const missing: Record<string, string> = {}
  const growth: { on: string; pending: number; ms: number }[] = []
  for (const on of ['sqlite', 'postgres'] as const) {
    const title = on === 'sqlite' ? 'SQLite FULL' : 'Postgres'
    bench.say(`  ${title}: filling ${sizes.map(({ count }) => count).join(', ')} rows`)
    const places: Place[] = []
    try {
      for (const _ of sizes) places.push(await bench.stores.take(on === 'sqlite' ? 'folder' : 'postgres'))
      const backlogs = sizes.map(({ base: _, ...size }, at) => ({ ...size, place: places[at]?.at ?? '' }))
      const ask: BacklogAsk = { on, backlogs, rounds: bench.rounds, steps: bench.quick ? 20 : 100 }
      const steps = await runAlone<BacklogFound>('backlog', ask)
      const medians = steps.map((its) => medianOfRounds(its, bench.rounds))
      for (const [at, size] of sizes.entries()) {
        const ms = medians[at]
        if (ms === undefined) continue
        const name = `${title}, ${nameOf(size)}`
        const found = ratio(ms, medians[size.base])
        rows.push({ name, figures: { ms, 'of the first of its kind': found ?? Number.NaN } })
        if (size.kind === 'pending' && size.workspaces === undefined)
          growth.push({ on: title, pending: size.count, ms })
        if (at !== size.base) targets.push({ what: `backlog: ${name}`, found, should: { atMost: 1.3 } })
      }
    } catch (error) {
      missing[title] = `failed: ${error instanceof Error ? error.message : String(error)}`
      targets.push({ what: `backlog: ${title}`, found: undefined, should: { atMost: 1.3 } })
    } finally {
      for (const place of places) await place.release()
    }
  }
  return {
    title: 'backlog: claim 25 and settle 25, two commits, beside rows of 500 bytes',
    rows,
    targets,
    missing,
    data: growth,
  }
}

function nameOf({ kind, count, workspaces }: Size): string {
  return `${count} ${workspaces === undefined ? '' : `of ${workspaces} workspaces, `}${KINDS[kind]}`
}

function medianOfRounds(steps: readonly { round: number; ms: number }[], rounds: number): number {
  const byRound = Array.from({ length: rounds }, (_, round) => steps.filter((step) => step.round === round))
  return median(byRound.map((its) => median(its.map(({ ms }) => ms))))
}
