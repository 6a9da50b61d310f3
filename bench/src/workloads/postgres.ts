import { type DrainRound, drainRound } from '../drain-round.ts'
import { type Entry, graphileWorker, keepsendPostgres, pgBoss } from '../entries.ts'
import { interleave } from '../interleave.ts'
import { limitOf } from '../limit.ts'
import { type Bench, type Findings, type Row, median, ratio } from '../workload.ts'

const PROCESSES = [1, 2, 4] as const
const CONTENDERS = [keepsendPostgres, graphileWorker, pgBoss]
const CONCURRENCY = 32

/** A backlog in Postgres, sent by 1, 2 and 4 processes. */
export async function postgres(bench: Bench): Promise<Findings> {
  const events = Math.round(bench.events * 0.4)
  const entrants = PROCESSES.flatMap((processes) =>
    CONTENDERS.map((entry) => ({
      name: nameOf(entry, processes),
      store: entry.store,
      round: () => drainRound(bench, entry, { concurrency: CONCURRENCY, processes, events }),
    })),
  )
  const { rounds, missing } = await interleave(
    entrants,
    bench.rounds,
    bench.say,
    ({ perSecond }: DrainRound) => `${Math.round(perSecond)}/s`,
  )
  const speedOf = (entry: Entry, processes: number): number | undefined => {
    const known = rounds.get(nameOf(entry, processes))
    return known && median(known.map(({ perSecond }) => perSecond))
  }
  const rows = PROCESSES.flatMap((processes) =>
    CONTENDERS.flatMap((entry): Row[] => {
      const known = rounds.get(nameOf(entry, processes))
      const speed = speedOf(entry, processes)
      if (!known || speed === undefined) return []
      return [
        {
          name: nameOf(entry, processes),
          figures: {
            'events/s': speed,
            'of one process': ratio(speed, speedOf(entry, 1)) ?? Number.NaN,
            'server µs/event': median(known.map(({ serverUsEach = Number.NaN }) => serverUsEach)),
            slowest: Math.min(...known.map(({ perSecond }) => perSecond)),
            fastest: Math.max(...known.map(({ perSecond }) => perSecond)),
          },
          limit: limitOf(
            known.map(({ busy }) => busy),
            entry.waitsFor,
          ),
        },
      ]
    }),
  )
  const beside = (processes: number, other: Entry, atLeast: number) => ({
    what: `Postgres, ${processes === 1 ? '1 process' : `${processes} processes`}: keepsend / ${other.name}`,
    found: ratio(speedOf(keepsendPostgres, processes), speedOf(other, processes)),
    should: { atLeast },
  })
  return {
    title: `postgres: ${events} signed POSTs of 500 bytes, ${CONCURRENCY} concurrent in each process, synchronous_commit on`,
    rows,
    missing,
    targets: [
      beside(1, graphileWorker, 1),
      beside(2, graphileWorker, 1),
      beside(4, graphileWorker, 1),
      beside(1, pgBoss, 1),
      beside(4, pgBoss, 1),
    ],
  }
}

function nameOf({ name }: Entry, processes: number): string {
  return `${name} × ${processes}`
}
