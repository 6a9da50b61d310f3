import { drainRound } from '../drain-round.ts'
import { enqueueRound } from '../enqueue-round.ts'
import * as entries from '../entries.ts'
import type { Entry } from '../entries.ts'
import type { Store } from '../stores.ts'
import type { Bench } from '../workload.ts'

/** A contender of Keepsend with one setting, which a comparison runs from both trees. */
export interface Line {
  name: string
  store: Store
  /** The first protocol whose workers support it. */
  since: number
  /** Events a second. */
  round: (bench: Bench) => Promise<number>
}

/** The lines of a comparison, by workload: without peers, which are the same in both trees. */
export const comparable: Record<string, readonly Line[]> = {
  drain: [
    drainLine(entries.full, 1),
    drainLine(entries.fullTo100, 2),
    drainLine(entries.keepsendPostgres, 1),
    drainLine(entries.keepsendPostgresTo100, 2),
    ...entries.SIZES.flatMap((size) =>
      [entries.full, entries.keepsendPostgres].map((entry) => drainLine(entries.ofSize(entry, size), 3)),
    ),
  ],
  enqueue: [
    enqueueLine(entries.outbox, 1),
    enqueueLine(entries.outbox, 32),
    enqueueLine(entries.commitFull, 32),
    enqueueLine(entries.commitPostgres, 32),
  ],
}

function drainLine(entry: Entry, since: number): Line {
  return {
    name: `drain, 32 concurrent: ${entry.name}`,
    store: entry.store,
    since,
    async round(bench) {
      const events = Math.round(bench.events * entry.share)
      const options = { concurrency: 32, events }
      return (await drainRound(bench, entry, options)).perSecond
    },
  }
}

function enqueueLine(entry: Entry, callers: number): Line {
  return {
    name: `enqueue, ${callers === 1 ? '1 caller' : `${callers} callers`}: ${entry.name}`,
    store: entry.store,
    since: 1,
    round: async (bench) => (await enqueueRound(bench, entry, callers)).perSecond,
  }
}
