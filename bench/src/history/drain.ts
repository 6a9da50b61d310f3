import { type DrainRound, drainRound } from '../drain-round.ts'
import { type Entry, full, keepsendPostgres } from '../entries.ts'
import { interleave } from '../interleave.ts'
import { type Bench, type Row, type Target, median } from '../workload.ts'

// The speed with history that the design asks for, of the speed without.
const TARGETS = [
  { endpoints: 1, atLeast: 0.85 },
  { endpoints: 100, atLeast: 0.77 },
  { endpoints: 1000, atLeast: 0.7 },
] as const

const STORES: readonly Entry[] = [full, keepsendPostgres]

/**
 * A backlog of signed POSTs, with history and its defaults, and without it, in turn. A target is compared with the median of the
 * ratios of the rounds, because the two drains of a round are neighbours in time, and the machine may slow down between rounds.
 */
export async function drainWithHistory(
  bench: Bench,
): Promise<{ rows: Row[]; targets: Target[]; missing: Record<string, string> }> {
  const pairs = STORES.flatMap((store) => TARGETS.map((target) => ({ store, ...target })))
  const entrants = pairs.flatMap(({ store, endpoints }) =>
    [false, true].map((history) => ({
      name: nameOf(store, endpoints, history),
      store: store.store,
      round: () => {
        const events = Math.round(bench.events * store.share)
        return drainRound(bench, { ...store, endpoints, history }, { concurrency: 32, events })
      },
    })),
  )
  const { rounds, missing } = await interleave(
    entrants,
    bench.rounds,
    bench.say,
    ({ perSecond, writtenEach }: DrainRound) => `${Math.round(perSecond)}/s, ${Math.round(writtenEach)} B each`,
  )
  const figure = (name: string, of: (round: DrainRound) => number): number | undefined => {
    const known = rounds.get(name)
    return known && median(known.map(of))
  }
  const rows = entrants.flatMap(({ name }): Row[] => {
    const perSecond = figure(name, (round) => round.perSecond)
    if (perSecond === undefined) return []
    return [
      {
        name,
        figures: {
          'events/s': perSecond,
          'µs/event': 1_000_000 / perSecond,
          'server µs/event': figure(name, ({ serverUsEach = Number.NaN }) => serverUsEach) ?? Number.NaN,
          'B written/event': figure(name, ({ writtenEach }) => writtenEach) ?? Number.NaN,
        },
      },
    ]
  })
  const targets = pairs.map(({ store, endpoints, atLeast }): Target => {
    const [without, recorded] = [false, true].map((history) => rounds.get(nameOf(store, endpoints, history)))
    return {
      what: `history: drain of ${store.name}, ${inWords(endpoints)}, with / without, median of ${bench.rounds} pairs`,
      found: recorded && without && medianOfPairs(recorded, without),
      should: { atLeast },
    }
  })
  return { rows, targets, missing }
}

function medianOfPairs(ones: readonly DrainRound[], others: readonly DrainRound[]): number {
  return median(ones.map(({ perSecond }, round) => perSecond / (others[round]?.perSecond ?? Number.NaN)))
}

function nameOf(store: Entry, endpoints: number, history: boolean): string {
  return `${store.name}, ${inWords(endpoints)}, ${history ? 'with' : 'without'} history`
}

function inWords(endpoints: number): string {
  return endpoints === 1 ? '1 endpoint' : `${endpoints} endpoints`
}
