import type { Entry } from './entries.ts'
import type { Busy } from './limit.ts'
import type { Bench } from './workload.ts'
import type { Place } from './stores.ts'
import { type Watched, watch } from './watch.ts'
import { type Worker, startWorker } from './worker.ts'

export interface DrainOptions {
  concurrency: number
  /** @default 1 */
  processes?: number
  events: number
  /**
   * Events sent before the clock starts, so that compiling is not measured: V8 compiles for a second (an event takes 44
   * µs after 5,000 and 34 after 20,000). They are sent twice, each time by a queue of its own: code that was compiled
   * for the first queue of a process is compiled again for the second (60 ms), and a server has one. @default as many
   * as are measured
   */
  warmUp?: number
}

export interface DrainRound {
  perSecond: number
  busy: Busy
  /** Peak of the largest process. */
  peakMb: number
  /** CPU that Postgres or Redis took for each event: 0 without one, undefined if it cannot be read. */
  serverUsEach: number | undefined
  /** Bytes that senders wrote to files, or that Postgres wrote to its log, for each event. */
  writtenEach: number
}

/** A contender that is open and warm, with a place of its own. */
interface Drain {
  /** Measures a backlog from `start` until the receiver has all of it. Then nothing may be left unsettled. */
  round(): Promise<DrainRound>
  end(): Promise<void>
}

/** One contender, opened for one measured backlog. */
export async function drainRound(bench: Bench, entry: Entry, options: DrainOptions): Promise<DrainRound> {
  const opened = await openDrain(bench, entry, options)
  try {
    return await opened.round()
  } finally {
    await opened.end()
  }
}

/**
 * Two contenders that are open at once and drain in turn, so that the two drains of a turn are seconds apart: a machine slows
 * down and recovers within a round.
 */
export async function drainInTurns(
  bench: Bench,
  [one, other]: readonly [Entry, Entry],
  { turns, ...options }: DrainOptions & { turns: number },
): Promise<[DrainRound, DrainRound][]> {
  const rounds: [DrainRound, DrainRound][] = []
  const first = await openDrain(bench, one, options)
  try {
    const second = await openDrain(bench, other, options)
    try {
      for (let turn = 0; turn < turns; turn++) rounds.push([await first.round(), await second.round()])
    } finally {
      await second.end()
    }
  } finally {
    await first.end()
  }
  return rounds
}

async function openDrain(bench: Bench, entry: Entry, options: DrainOptions): Promise<Drain> {
  const { concurrency, processes = 1, events, warmUp = events } = options
  const { receiver, stores } = bench
  const place = await stores.take(entry.store)
  const setup = { ...entry, place: place.at, receiver: receiver.url, concurrency }
  const workers: Worker[] = []
  const end = async (): Promise<void> => {
    await Promise.all(workers.map((worker) => worker.kill()))
    await place.release()
  }
  try {
    // One after the other: the first creates the tables.
    for (let number = 0; number < processes; number++)
      workers.push(await startWorker(setup, { senders: processes, file: bench.workerFile }))
    for (let queue = 0; queue < 2; queue++) await drain(bench, place, workers, warmUp)
  } catch (error) {
    await end()
    throw error
  }
  return { round, end }

  async function round(): Promise<DrainRound> {
    const { ms, busy, serverMs, writtenBytes } = await drain(bench, place, workers, events)
    const left = (await workers[0]?.ask('left')) ?? 0
    if (left > 0) throw new Error(`${left} of ${events} are not settled`)
    const peakMb = Math.max(...(await Promise.all(workers.map((worker) => worker.ask('memory')))))
    return {
      perSecond: (events * 1000) / ms,
      busy,
      peakMb,
      serverUsEach: serverMs === undefined ? undefined : (serverMs * 1000) / events,
      writtenEach: writtenBytes / events,
    }
  }
}

async function drain(
  { receiver }: Bench,
  place: Place,
  workers: readonly Worker[],
  events: number,
): Promise<Watched & { ms: number; writtenBytes: number }> {
  await workers[0]?.ask('seed', { events })
  await receiver.reset()
  const [watched, logBefore] = [await watch(receiver, place), await place.logBytes()]
  const began = performance.now()
  await Promise.race([
    Promise.all([receiver.received(events), ...workers.map((worker) => worker.ask('start'))]),
    ...workers.map((worker) => worker.ended),
  ])
  const ms = performance.now() - began
  const stopped = await Promise.all(workers.map((worker) => worker.ask('stop')))
  const cpuMs = stopped.reduce((sum, one) => sum + one.cpuMs, 0)
  const writtenBytes = stopped.reduce((sum, one) => sum + (one.writtenBytes ?? 0), (await place.logBytes()) - logBefore)
  return { ms, writtenBytes, ...(await watched({ ms, cpuMs, senders: workers.length })) }
}
