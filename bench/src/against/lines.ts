import { drainRound } from '../drain-round.ts'
import { enqueueRound } from '../enqueue-round.ts'
import { type Entry, commitFull, commitPostgres, full, fullTo100, outbox } from '../entries.ts'
import { keepsendPostgres, keepsendPostgresTo100 } from '../entries.ts'
import type { Store } from '../stores.ts'
import type { Bench } from '../work.ts'

/** A contender of Keepsend in one setting, which a comparison runs from both trees. */
export interface Line {
  name: string
  store: Store
  /** The first protocol whose workers can do it. */
  since: number
  /** Events a second. */
  round: (bench: Bench) => Promise<number>
}

/** What a comparison runs, by workload: no peers, which are the same in both trees. */
export const comparable: Record<string, readonly Line[]> = {
  drain: [
    drainLine(full, 1),
    drainLine(fullTo100, 2),
    drainLine(keepsendPostgres, 1),
    drainLine(keepsendPostgresTo100, 2),
  ],
  enqueue: [
    enqueueLine(outbox, 1),
    enqueueLine(outbox, 32),
    enqueueLine(commitFull, 32),
    enqueueLine(commitPostgres, 32),
  ],
}

function drainLine(entry: Entry, since: number): Line {
  return {
    name: `drain, 32 at once: ${entry.name}`,
    store: entry.store,
    since,
    async round(bench) {
      const events = Math.round(bench.events * entry.share)
      const options = { concurrency: 32, events, warmUp: Math.round(events / 4) }
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
