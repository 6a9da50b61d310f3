import { type DrainRound, drainInTurns } from '../drain-round.ts'
import { type Entry, full, keepsendPostgres } from '../entries.ts'
import { interleave } from '../interleave.ts'
import { type Bench, type Row, type Target, median } from '../workload.ts'

// The speed with history that the design asks for on SQLite, of the speed without. Postgres, whose server shares its core with the
// receiver, is compared with the same.
const TARGETS = [
  { endpoints: 1, atLeast: 0.85 },
  { endpoints: 100, atLeast: 0.77 },
  { endpoints: 1000, atLeast: 0.7 },
] as const

const STORES: readonly Entry[] = [full, keepsendPostgres]

// A drain takes about a second, and machines that are shared slow down by a fifth within seconds: many short pairs.
const TURNS = 5

interface Pair {
  without: DrainRound
  recorded: DrainRound
}

/**
 * A backlog of signed POSTs, with history and its defaults, and without it, in turn. A target is compared with the median of the
 * ratios of the pairs, because the two drains of a pair are neighbours in time.
 */
export async function drainWithHistory(
  bench: Bench,
): Promise<{ rows: Row[]; targets: Target[]; missing: Record<string, string> }> {
  const kinds = STORES.flatMap((store) =>
    TARGETS.map((target) => ({ store, ...target, name: `${store.name}, ${inWords(target.endpoints)}` })),
  )
  const entrants = kinds.map(({ store, endpoints, name }) => ({
    name,
    store: store.store,
    async round(): Promise<Pair[]> {
      const entry = { ...store, endpoints, history: false }
      const options = { concurrency: 32, events: Math.round(bench.events * store.share), turns: TURNS }
      const pairs = await drainInTurns(bench, [entry, { ...entry, history: true }], options)
      return pairs.map(([without, recorded]) => ({ without, recorded }))
    },
  }))
  const { rounds, missing } = await interleave(entrants, bench.rounds, bench.say, (pairs: Pair[]) => {
    const each = (of: (pair: Pair) => number): number => Math.round(median(pairs.map(of)))
    const [before, after] = [each(({ without }) => without.perSecond), each(({ recorded }) => recorded.perSecond)]
    return `${before}/s without, ${after}/s with history`
  })
  const rows: Row[] = []
  const targets: Target[] = []
  for (const { name, atLeast } of kinds) {
    const pairs = rounds.get(name)?.flat()
    const found = pairs && median(pairs.map(({ without, recorded }) => recorded.perSecond / without.perSecond))
    if (pairs && found !== undefined) {
      const drains = (kind: keyof Pair): DrainRound[] => pairs.map((pair) => pair[kind])
      rows.push(
        rowOf(`${name}, without history`, drains('without'), 1),
        rowOf(`${name}, with history`, drains('recorded'), found),
      )
    }
    targets.push({
      what: `history: drain of ${name}, with / without, median of ${bench.rounds * TURNS} pairs`,
      found,
      should: { atLeast },
    })
  }
  return { rows, targets, missing }
}

function rowOf(name: string, drains: readonly DrainRound[], ofWithout: number): Row {
  const figure = (of: (drain: DrainRound) => number): number => median(drains.map(of))
  return {
    name,
    figures: {
      'events/s': figure(({ perSecond }) => perSecond),
      'µs/event': figure(({ perSecond }) => 1_000_000 / perSecond),
      'server µs/event': figure(({ serverUsEach = Number.NaN }) => serverUsEach),
      'B written/event': figure(({ writtenEach }) => writtenEach),
      'of without': ofWithout,
    },
  }
}

function inWords(endpoints: number): string {
  return endpoints === 1 ? '1 endpoint' : `${endpoints} endpoints`
}
