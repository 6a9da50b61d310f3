import * as entries from '../entries.ts'
import type { Entry } from '../entries.ts'
import { interleave } from '../interleave.ts'
import { type Bench, type Findings, type Row, median, quantile, ratio } from '../workload.ts'
import { startWorker } from '../worker.ts'

const PER_SECOND = 200

const direct: Entry = { ...entries.raw, name: 'direct POST' }
const CONTENDERS: readonly Entry[] = [
  direct,
  entries.full,
  entries.normal,
  entries.keepsendPostgres,
  entries.bullmqAlways,
  entries.bullmqEverysec,
  { ...entries.graphileWorker, flavour: 'latency' },
  { ...entries.pgBoss, flavour: 'latency' },
]

/**
 * 200 events a second, published in an open loop by the process that also sends. Measured from the call of `publish` to
 * the arrival at the receiver.
 */
export async function latency(bench: Bench): Promise<Findings> {
  const events = PER_SECOND * (bench.quick ? 1 : 3)
  const entrants = CONTENDERS.map((entry) => ({
    name: entry.name,
    store: entry.store,
    round: () => latencyRound(bench, entry, events),
  }))
  const { rounds, missing } = await interleave(
    entrants,
    bench.rounds,
    bench.say,
    (ms: number[]) => `p50 ${quantile(ms, 0.5).toFixed(2)} ms, p99 ${quantile(ms, 0.99).toFixed(2)} ms`,
  )
  const of = ({ name }: Entry, share: number): number | undefined => {
    const known = rounds.get(name)
    return known && median(known.map((ms) => quantile(ms, share)))
  }
  const rows = CONTENDERS.flatMap((entry): Row[] => {
    const [p50, p99] = [of(entry, 0.5), of(entry, 0.99)]
    if (p50 === undefined || p99 === undefined) return []
    const p50OfDirect = ratio(p50, of(direct, 0.5)) ?? Number.NaN
    const p99OfDirect = ratio(p99, of(direct, 0.99)) ?? Number.NaN
    return [
      {
        name: entry.name,
        figures: { 'p50 ms': p50, 'p99 ms': p99, 'p50 of direct': p50OfDirect, 'p99 of direct': p99OfDirect },
      },
    ]
  })
  const target = (what: string, share: number, atMost: number) => ({
    what: `latency at ${PER_SECOND}/s: ${what} of ${entries.full.name} / direct POST`,
    found: ratio(of(entries.full, share), of(direct, share)),
    should: { atMost },
  })
  return {
    title: `latency: ${events} events a round at ${PER_SECOND}/s, open loop, from publish to received`,
    rows,
    missing,
    targets: [target('p50', 0.5, 3.5), target('p99', 0.99, 15)],
    data: [...rounds].map(([name, known]) => ({ name, quantiles: curve(known.flat()) })),
  }
}

/** For the plot: ms by the share of events that arrived sooner. */
function curve(ms: readonly number[]): { share: number; ms: number }[] {
  return Array.from({ length: 50 }, (_, step) => (step + 0.5) / 50)
    .concat(0.995, 0.999)
    .map((share) => ({ share, ms: Number(quantile(ms, share).toFixed(3)) }))
}

async function latencyRound({ receiver, stores }: Bench, entry: Entry, events: number): Promise<number[]> {
  const place = await stores.take(entry.store)
  try {
    const worker = await startWorker({ ...entry, place: place.at, receiver: receiver.url, concurrency: 32 })
    try {
      await worker.ask('start')
      await receiver.reset()
      await worker.ask('publish', { perSecond: PER_SECOND, events: PER_SECOND })
      await Promise.race([receiver.received(PER_SECOND), worker.ended])
      await receiver.reset('record')
      const published = await worker.ask('publish', { perSecond: PER_SECOND, events })
      await Promise.race([receiver.received(events), worker.ended])
      const arrivals = await receiver.arrivals()
      return published.map(([id, atMs]) => (arrivals.get(id) ?? Number.NaN) - atMs)
    } finally {
      await worker.kill()
    }
  } finally {
    await place.release()
  }
}
