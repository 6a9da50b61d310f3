import { runAlone } from '../alone.ts'
import { PAGES } from '../pages/paths.ts'
import { type Bench, type Findings, type Row, type Target, quantile } from '../workload.ts'

/** The options of processes/pages.ts. */
export interface PagesAsk {
  on: 'sqlite' | 'postgres'
  place: string
  attempts: number
  repetitions: number
}

export interface PagesFound {
  /** By name: ms of each answer, from the request to its text, and the bytes of the largest after gzip. */
  pages: Record<string, { ms: number[]; bytes: number }>
}

const TITLES = { sqlite: 'SQLite', postgres: 'Postgres' } as const
const PATIENCE_MS = 3_600_000
const MAX_MS = 50
const MAX_BYTES = 60_000

/** The server's time for each page of the dashboard and the portal, beside ten million attempts, and its weight. */
export async function pages(bench: Bench): Promise<Findings> {
  const attempts = bench.quick ? 20_000 : 10_000_000
  const rows: Row[] = []
  const targets: Target[] = []
  const missing: Record<string, string> = {}
  for (const on of ['sqlite', 'postgres'] as const) {
    const title = TITLES[on]
    bench.say(`  ${title}: filling ${attempts} attempts`)
    const place = await bench.stores.take(on === 'sqlite' ? 'folder' : 'postgres')
    try {
      const ask: PagesAsk = { on, place: place.at, attempts, repetitions: bench.quick ? 5 : 50 }
      const found = await runAlone<PagesFound>('pages', ask, { patienceMs: PATIENCE_MS })
      for (const [name, { ms, bytes }] of Object.entries(found.pages)) {
        const p95 = quantile(ms, 0.95)
        rows.push({
          name: `${title}: ${name}`,
          figures: { 'p50 ms': quantile(ms, 0.5), 'p95 ms': p95, 'B gzip': bytes },
        })
        targets.push(
          { what: `pages: ${title}: ${name}, p95 ms`, found: p95, should: { atMost: MAX_MS } },
          { what: `pages: ${title}: ${name}, bytes after gzip`, found: bytes, should: { atMost: MAX_BYTES } },
        )
      }
    } catch (error) {
      missing[title] = `failed: ${error instanceof Error ? error.message : String(error)}`
      targets.push({ what: `pages: ${PAGES.length} pages on ${title}`, found: undefined, should: { atMost: MAX_MS } })
    } finally {
      await place.release()
    }
  }
  return { title: `pages: time of the server and weight, beside ${attempts} attempts`, rows, targets, missing }
}
