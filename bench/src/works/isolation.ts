import { interleave } from '../interleave.ts'
import { type Bench, type Findings, type Row, median, quantile, ratio } from '../work.ts'
import { startWorker } from '../worker.ts'

const PER_SECOND = 200
const BACKLOG = 10_000
// What has not come so long after the last publish counts as never.
const GRACE_MS = 2000

interface Round {
  p50: number
  p95: number
  /** Received in time, of those published. */
  share: number
}

/** 100 endpoints that answer, with and without a 101st that never does and has a backlog of 10,000. */
export async function isolation(bench: Bench): Promise<Findings> {
  const events = PER_SECOND * (bench.quick ? 2 : 6)
  const entrants = [
    { name: 'without', hole: false },
    { name: 'with a black hole', hole: true },
  ].map(({ name, hole }) => ({ name, store: 'folder' as const, round: () => isolationRound(bench, events, hole) }))
  const { rounds, missing } = await interleave(
    entrants,
    bench.rounds,
    bench.say,
    ({ p95, share }: Round) => `p95 ${p95.toFixed(2)} ms, ${Math.round(share * 100)}% received in time`,
  )
  const of = (name: string, figure: keyof Round): number | undefined => {
    const known = rounds.get(name)
    return known && median(known.map((round) => round[figure]))
  }
  const rows = [...rounds.keys()].map((name): Row => {
    const [p50 = Number.NaN, p95 = Number.NaN, share = Number.NaN] = [
      of(name, 'p50'),
      of(name, 'p95'),
      of(name, 'share'),
    ]
    return { name, figures: { 'p50 ms': p50, 'p95 ms': p95, 'received in time': share } }
  })
  const beside = (figure: keyof Round): number | undefined =>
    ratio(of('with a black hole', figure), of('without', figure))
  return {
    title: `isolation: ${events} events a round at ${PER_SECOND}/s to 100 endpoints, beside one that never answers and has ${BACKLOG} waiting`,
    rows,
    missing,
    bars: [
      {
        what: "isolation: the others' p95, with / without a black hole",
        found: beside('p95'),
        should: { atMost: 1.1 },
      },
      { what: "isolation: the others' throughput, with / without", found: beside('share'), should: { atLeast: 0.9 } },
    ],
  }
}

async function isolationRound({ receiver, stores }: Bench, events: number, hole: boolean): Promise<Round> {
  const place = await stores.take('folder')
  const receivedInTime = (count: number) => receiver.received(count, GRACE_MS).catch(() => undefined)
  try {
    const setup = { file: 'isolation', flavour: receiver.hole, place: place.at, receiver: receiver.url }
    const worker = await startWorker({ ...setup, concurrency: 32 })
    try {
      if (hole) await worker.ask('seed', { events: BACKLOG })
      await worker.ask('start')
      // Until it has been seen to block whatever it blocks, and the code is warm.
      await receiver.reset()
      await worker.ask('publish', { perSecond: PER_SECOND, events: PER_SECOND })
      await receivedInTime(PER_SECOND)
      await receiver.reset('keep')
      const published = await worker.ask('publish', { perSecond: PER_SECOND, events })
      await Promise.race([receivedInTime(events), worker.ended])
      const arrivals = await receiver.arrivals()
      const ms = published.map(([id, atMs]) => (arrivals.get(id) ?? Number.POSITIVE_INFINITY) - atMs)
      const received = ms.filter(Number.isFinite).length
      return { p50: quantile(ms, 0.5), p95: quantile(ms, 0.95), share: received / events }
    } finally {
      await worker.kill()
    }
  } finally {
    await place.release()
  }
}
