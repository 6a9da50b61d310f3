import { drainRound } from '../drain-round.ts'
import { type Entry, full, raw } from '../entries.ts'
import { interleave } from '../interleave.ts'
import type { Place } from '../stores.ts'
import { type Bench, type Findings, type Row, median, ratio } from '../workload.ts'
import { startWorker } from '../worker.ts'

const madeAsSent: Entry = { ...raw, name: 'raw, each event made as it is sent', flavour: 'made as sent' }
const SMALL = 'keepsend FULL, no more waiting'

/**
 * Peak memory of a process that sends events which another process inserted: beside the bare loop, and with a long
 * backlog.
 */
export async function memory(bench: Bench): Promise<Findings> {
  const { events } = bench
  const backlog = bench.quick ? 50_000 : 1_000_000
  const large = `keepsend FULL, ${backlog} waiting`
  bench.say(`  inserting ${backlog + events * bench.rounds} events`)
  const place = await bench.stores.take('folder')
  try {
    await seed(bench, place, backlog + events * bench.rounds)
    const bare = async (entry: Entry): Promise<number> =>
      (await drainRound(bench, entry, { concurrency: 32, events, warmUp: 1000 })).peakMb
    const entrants = [
      { name: raw.name, store: 'none' as const, round: () => bare(raw) },
      { name: madeAsSent.name, store: 'none' as const, round: () => bare(madeAsSent) },
      { name: SMALL, store: 'folder' as const, round: () => smallRound(bench) },
      { name: large, store: 'folder' as const, round: () => peakOf(bench, place) },
    ]
    const { rounds, missing } = await interleave(
      entrants,
      bench.rounds,
      bench.say,
      (mb: number) => `${Math.round(mb)} MB`,
    )
    const of = (name: string): number | undefined => {
      const known = rounds.get(name)
      return known && median(known)
    }
    const rows = [...rounds].map(([name, known]): Row => ({
      name,
      figures: { 'peak MB': median(known), least: Math.min(...known), most: Math.max(...known) },
    }))
    return {
      title: `memory: peak of a process that sends ${events} events, 32 concurrent`,
      rows,
      missing,
      targets: [
        { what: `memory: keepsend FULL / ${raw.name}`, found: ratio(of(SMALL), of(raw.name)), should: { atMost: 0.7 } },
        // No growth: the bound is the difference between rounds of the same contender.
        { what: `memory: ${backlog} waiting / none`, found: ratio(of(large), of(SMALL)), should: { atMost: 1.05 } },
      ],
    }
  } finally {
    await place.release()
  }
}

async function seed({ receiver }: Bench, place: Place, events: number): Promise<void> {
  const worker = await startWorker({ ...full, place: place.at, receiver: receiver.url, concurrency: 32 })
  try {
    await worker.ask('seed', { events })
    await worker.ask('close')
  } finally {
    await worker.kill()
  }
}

async function smallRound(bench: Bench): Promise<number> {
  const place = await bench.stores.take('folder')
  try {
    await seed(bench, place, bench.events)
    return await peakOf(bench, place)
  } finally {
    await place.release()
  }
}

/** A fresh process sends until the receiver has a round's events. */
async function peakOf({ events, receiver }: Bench, place: Place): Promise<number> {
  const worker = await startWorker({ ...full, place: place.at, receiver: receiver.url, concurrency: 32 })
  try {
    await receiver.reset()
    await Promise.race([Promise.all([receiver.received(events), worker.ask('start')]), worker.ended])
    await worker.ask('stop')
    return await worker.ask('memory')
  } finally {
    await worker.kill()
  }
}
