import { type DrainRound, drainRound } from '../drain-round.ts'
import * as entries from '../entries.ts'
import type { Entry } from '../entries.ts'
import { interleave } from '../interleave.ts'
import { limitOf } from '../limit.ts'
import { type Bench, type Findings, type Row, median, ratio } from '../workload.ts'

const CONCURRENCIES = [32, 128] as const

const CONTENDERS: readonly Entry[] = [
  entries.raw,
  entries.full,
  entries.fullTo100,
  entries.normal,
  entries.keepsendPostgres,
  entries.keepsendPostgresTo100,
  entries.graphileWorker,
  entries.pgBoss,
  entries.bullmqAlways,
  entries.bullmqEverysec,
  entries.plainjob,
  entries.naive,
]

/** Larger sizes than 500 bytes, at concurrency 32. */
const SIZED = entries.SIZES.map((size) =>
  [entries.raw, entries.full, entries.keepsendPostgres].map((entry) => entries.ofSize(entry, size)),
)

interface Run {
  entry: Entry
  /** The ceiling to compare with. */
  raw: Entry
  concurrency: number
}

const RUNS: readonly Run[] = [
  ...CONCURRENCIES.flatMap((concurrency) => CONTENDERS.map((entry) => ({ entry, raw: entries.raw, concurrency }))),
  ...SIZED.flatMap(([raw = entries.raw, ...others]) =>
    [raw, ...others].map((entry) => ({ entry, raw, concurrency: 32 })),
  ),
]

/** A backlog of signed POSTs to a local receiver; at concurrency 128 half of it. */
export async function drain(bench: Bench): Promise<Findings> {
  const entrants = RUNS.map(({ entry, concurrency }) => {
    const events = Math.round((bench.events * entry.share * 32) / Math.max(32, concurrency / 2))
    return {
      name: nameOf(entry.name, concurrency),
      store: entry.store,
      round: () => drainRound(bench, entry, { concurrency, events }),
    }
  })
  const { rounds, missing } = await interleave(
    entrants,
    bench.rounds,
    bench.say,
    ({ perSecond }: DrainRound) => `${Math.round(perSecond)}/s`,
  )
  const speedOf = (name: string, concurrency: number): number | undefined => {
    const known = rounds.get(nameOf(name, concurrency))
    return known && median(known.map(({ perSecond }) => perSecond))
  }
  const rows = RUNS.flatMap(({ entry: { name, waitsFor }, raw: beside, concurrency }): Row[] => {
    const known = rounds.get(nameOf(name, concurrency))
    const speed = speedOf(name, concurrency)
    if (!known || speed === undefined) return []
    return [
      {
        name: nameOf(name, concurrency),
        figures: {
          'events/s': speed,
          'of raw': ratio(speed, speedOf(beside.name, concurrency)) ?? Number.NaN,
          slowest: Math.min(...known.map(({ perSecond }) => perSecond)),
          fastest: Math.max(...known.map(({ perSecond }) => perSecond)),
          'peak MB': median(known.map(({ peakMb }) => peakMb)),
        },
        limit: limitOf(
          known.map(({ busy }) => busy),
          waitsFor,
        ),
      },
    ]
  })
  const beside = (one: string, other: string): number | undefined => ratio(speedOf(one, 32), speedOf(other, 32))
  const { raw, full, normal, graphileWorker, pgBoss, bullmqAlways, bullmqEverysec, plainjob, naive } = entries
  const target = (one: string, other: string, atLeast: number) => ({
    what: `drain at 32: ${one} / ${other}`,
    found: beside(one, other),
    should: { atLeast },
  })
  return {
    title: `drain: up to ${bench.events} signed POSTs of 500 bytes, 32 and 128 concurrent, and of 2 and 20 kB, one process`,
    rows,
    missing,
    targets: [
      target(full.name, raw.name, 0.6),
      target(normal.name, raw.name, 0.8),
      target(full.name, graphileWorker.name, 2),
      target(full.name, bullmqAlways.name, 2.5),
      target(normal.name, bullmqEverysec.name, 2.5),
      target(full.name, pgBoss.name, 3),
      target(full.name, plainjob.name, 3.5),
      target(full.name, naive.name, 5),
    ],
  }
}

function nameOf(name: string, concurrency: number): string {
  return `${name}, ${concurrency}`
}
