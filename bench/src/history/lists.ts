import { runAlone } from '../alone.ts'
import type { Place } from '../stores.ts'
import { type Bench, type Row, type Target, quantile, ratio } from '../workload.ts'

/** The options of processes/history.ts. */
export interface HistoryAsk {
  on: 'sqlite' | 'postgres'
  sizes: { place: string; attempts: number }[]
  /** Requests of each kind to each table. */
  repetitions: number
}

export interface ListFound {
  ms: number
  rows: number
}

export interface CleanUp {
  attempts: number
  deleted: { attempts: number; events: number }
  ms: number
  longestMs: number
}

export interface HistoryFound {
  /** For each table: stored bytes, and µs of the roll-up of statistics, of an attempt with its event. */
  bytesEach: number[]
  countUs: number[]
  /** By request: for each table, every answer. */
  lists: Record<string, ListFound[][]>
  cleanUps: CleanUp[]
}

const TITLES = { sqlite: 'SQLite', postgres: 'Postgres' } as const

// Filling ten million attempts takes minutes.
const PATIENCE_MS = 3_600_000

/** Every list at three sizes, whole answers of the HTTP API, and the deletion of a week. */
export async function listsOfHistory(
  bench: Bench,
): Promise<{ rows: Row[]; targets: Target[]; missing: Record<string, string> }> {
  const sizes = bench.quick ? [1000, 10_000, 50_000] : [10_000, 1_000_000, 10_000_000]
  const rows: Row[] = []
  const targets: Target[] = []
  const missing: Record<string, string> = {}
  for (const on of ['sqlite', 'postgres'] as const) {
    const title = TITLES[on]
    bench.say(`  ${title}: filling ${sizes.join(', ')} attempts`)
    const places: Place[] = []
    try {
      for (const _ of sizes) places.push(await bench.stores.take(on === 'sqlite' ? 'folder' : 'postgres'))
      const ask: HistoryAsk = {
        on,
        sizes: sizes.map((attempts, at) => ({ attempts, place: places[at]?.at ?? '' })),
        repetitions: bench.quick ? 10 : 100,
      }
      const found = await runAlone<HistoryFound>('history', ask, { patienceMs: PATIENCE_MS })
      rows.push(...storedRows(title, sizes, found), ...cleanUpRows(title, found))
      for (const [name, ofSizes] of Object.entries(found.lists)) {
        rows.push(...listRows(`${title}: ${name}`, sizes, ofSizes))
        targets.push({
          what: `history: ${title}: ${name}, largest / smallest`,
          found: growthOf(ofSizes),
          should: { atMost: 1.3 },
        })
      }
    } catch (error) {
      missing[title] = `failed: ${error instanceof Error ? error.message : String(error)}`
      targets.push({ what: `history: lists on ${title}`, found: undefined, should: { atMost: 1.3 } })
    } finally {
      for (const place of places) await place.release()
    }
  }
  return { rows, targets, missing }
}

function listRows(name: string, sizes: readonly number[], found: readonly (readonly ListFound[])[]): Row[] {
  return sizes.map((attempts, at) => {
    const answers = found[at] ?? []
    const ms = answers.map((answer) => answer.ms)
    const figures = {
      'p50 ms': quantile(ms, 0.5),
      'p95 ms': quantile(ms, 0.95),
      'rows/page': quantile(
        answers.map((answer) => answer.rows),
        0.5,
      ),
    }
    return { name: `${name}, beside ${attempts}`, figures }
  })
}

// Of the largest table's, in rows.
const AS_FULL = 0.9

/** The largest table beside the smallest one whose pages are about as full: a shorter page costs less. */
function growthOf(found: readonly (readonly ListFound[])[]): number | undefined {
  const p50 = (answers: readonly ListFound[] | undefined, of: (answer: ListFound) => number): number | undefined =>
    answers && quantile(answers.map(of), 0.5)
  const largest = found.at(-1)
  const fullest = p50(largest, ({ rows }) => rows)
  const base = found.find((answers) => (p50(answers, ({ rows }) => rows) ?? 0) >= (fullest ?? 0) * AS_FULL)
  return ratio(
    p50(largest, ({ ms }) => ms),
    p50(base, ({ ms }) => ms),
  )
}

function storedRows(title: string, sizes: readonly number[], { bytesEach, countUs }: HistoryFound): Row[] {
  return sizes.map((attempts, at) => ({
    name: `${title}: stored, ${attempts} attempts`,
    figures: { 'B/attempt': bytesEach[at] ?? Number.NaN, 'roll-up µs/attempt': countUs[at] ?? Number.NaN },
  }))
}

function cleanUpRows(title: string, { cleanUps }: HistoryFound): Row[] {
  return cleanUps.map(({ attempts, deleted, ms, longestMs }) => ({
    name: `${title}: clean-up of a week, of ${attempts}`,
    figures: { ...deleted, 'µs/event': (ms * 1000) / deleted.events, 'longest round ms': longestMs },
  }))
}
