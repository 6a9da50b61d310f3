import { type EnqueueRound, enqueueRound } from '../enqueue-round.ts'
import * as entries from '../entries.ts'
import { type Entry, outbox, rowByRow } from '../entries.ts'
import { interleave } from '../interleave.ts'
import { limitOf } from '../limit.ts'
import { type Bench, type Findings, type Row, median, ratio } from '../workload.ts'

const CALLERS = [1, 32] as const
const CONTENDERS: readonly Entry[] = [
  rowByRow,
  outbox,
  entries.commitFull,
  entries.commitPostgres,
  { ...entries.graphileWorker, ...entries.commitOnPostgres },
  { ...entries.pgBoss, ...entries.commitOnPostgres },
  { ...entries.bullmqAlways, share: 0.125 },
  entries.bullmqEverysec,
]

/** Concurrent callers, each awaiting that its own event is stored. Nothing is sent. */
export async function enqueue(bench: Bench): Promise<Findings> {
  const entrants = CALLERS.flatMap((callers) =>
    CONTENDERS.map((entry) => ({
      name: nameOf(entry, callers),
      store: entry.store,
      round: () => enqueueRound(bench, entry, callers),
    })),
  )
  const { rounds, missing } = await interleave(
    entrants,
    bench.rounds,
    bench.say,
    ({ perSecond }: EnqueueRound) => `${Math.round(perSecond)}/s`,
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
  const target = (other: Entry, atLeast: number) => ({
    what: `enqueue, 32 callers: ${outbox.name} / ${other.name}`,
    found: ratio(speedOf(outbox, 32), speedOf(other, 32)),
    should: { atLeast },
  })
  return {
    title: `enqueue: up to ${bench.events} events of 500 bytes, each stored before its caller continues`,
    rows,
    missing,
    targets: [target(rowByRow, 10), target(entries.bullmqAlways, 4)],
  }
}

function nameOf({ name }: Entry, callers: number): string {
  return `${name}, ${callers}`
}
