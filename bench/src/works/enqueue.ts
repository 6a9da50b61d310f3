import * as entries from '../entries.ts'
import { type Entry, outbox, rowByRow } from '../entries.ts'
import { interleave } from '../interleave.ts'
import { type Busy, limitOf } from '../limit.ts'
import { type Bench, type Findings, type Row, median, ratio } from '../work.ts'
import { watch } from '../watch.ts'
import { startWorker } from '../worker.ts'

const CALLERS = [1, 32] as const
// A commit for each, which the server shares among those that come together.
const onPostgres = { share: 0.125, waitsFor: 'a commit of the server for each event' }
/** How many events beside the fastest; one caller waits for each commit, so a quarter of that. */
const CONTENDERS: readonly Entry[] = [
  rowByRow,
  outbox,
  { ...entries.full, name: 'keepsend engine.commit FULL', share: 0.5, waitsFor: outbox.waitsFor },
  { ...entries.keepsendPostgres, name: 'keepsend engine.commit Postgres', ...onPostgres },
  { ...entries.graphileWorker, ...onPostgres },
  { ...entries.pgBoss, ...onPostgres },
  { ...entries.bullmqAlways, share: 0.125 },
  entries.bullmqEverysec,
]

interface Round {
  perSecond: number
  busy: Busy
}

/** So many callers at once, each awaiting that its own event is kept. Nobody sends. */
export async function enqueue(bench: Bench): Promise<Findings> {
  const entrants = CALLERS.flatMap((callers) =>
    CONTENDERS.map((entry) => ({
      name: nameOf(entry, callers),
      store: entry.store,
      round: () =>
        enqueueRound(bench, entry, callers, Math.round(bench.events * entry.share * (callers === 1 ? 0.25 : 1))),
    })),
  )
  const { rounds, missing } = await interleave(
    entrants,
    bench.rounds,
    bench.say,
    ({ perSecond }: Round) => `${Math.round(perSecond)}/s`,
  )
  const speedOf = (entry: Entry, callers: number): number | undefined => {
    const known = rounds.get(nameOf(entry, callers))
    return known && median(known.map(({ perSecond }) => perSecond))
  }
  const rows = CALLERS.flatMap((callers) =>
    CONTENDERS.flatMap((entry): Row[] => {
      const known = rounds.get(nameOf(entry, callers))
      const speed = speedOf(entry, callers)
      if (!known || speed === undefined) return []
      return [
        {
          name: nameOf(entry, callers),
          figures: {
            'events/s': speed,
            'of row by row': ratio(speed, speedOf(rowByRow, callers)) ?? Number.NaN,
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
  const bar = (other: Entry, atLeast: number) => ({
    what: `enqueue, 32 callers: ${outbox.name} / ${other.name}`,
    found: ratio(speedOf(outbox, 32), speedOf(other, 32)),
    should: { atLeast },
  })
  return {
    title: `enqueue: up to ${bench.events} events of 500 bytes, each kept when its caller goes on`,
    rows,
    missing,
    bars: [bar(rowByRow, 10), bar(entries.bullmqAlways, 4)],
  }
}

// Servers run for days. Until then what is hot has been compiled, heaps have grown, and a log is written anew: the CPU of
// an event falls from 34 to 22 µs, and stays there.
const WARM_UP_MS = 2500

async function enqueueRound(bench: Bench, entry: Entry, callers: number, events: number): Promise<Round> {
  const { receiver, stores } = bench
  const place = await stores.take(entry.store)
  const setup = { ...entry, place: place.at, receiver: receiver.url, concurrency: 1 }
  const worker = await startWorker(setup).catch(async (error: unknown) => {
    await place.release()
    throw error
  })
  try {
    await worker.ask('warmUp', { ms: bench.quick ? 200 : WARM_UP_MS, callers })
    const watched = await watch(receiver, place)
    const { ms, cpuMs } = await worker.ask('enqueue', { events, callers })
    const { busy } = await watched({ ms, cpuMs, senders: 1 })
    await worker.ask('close')
    return { perSecond: (events * 1000) / ms, busy }
  } finally {
    await worker.kill()
    await place.release()
  }
}

function nameOf({ name }: Entry, callers: number): string {
  return `${name}, ${callers}`
}
