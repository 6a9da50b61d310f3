import type { Entry } from './entries.ts'
import type { Busy } from './limit.ts'
import { watch } from './watch.ts'
import type { Bench } from './workload.ts'
import { startWorker } from './worker.ts'

export interface EnqueueRound {
  perSecond: number
  busy: Busy
}

// Servers run for days. By then hot code has been compiled, heaps have grown, and the log is overwritten: the CPU of an
// event drops from 34 to 22 µs, and stays there.
const WARM_UP_MS = 2500

/**
 * Runs concurrent callers, each of which awaits that its own event is stored. Nothing is sent. A single caller waits
 * for each commit, so it gets a quarter of the events.
 */
export async function enqueueRound(bench: Bench, entry: Entry, callers: number): Promise<EnqueueRound> {
  const events = Math.round(bench.events * entry.share * (callers === 1 ? 0.25 : 1))
  const { receiver, stores } = bench
  const place = await stores.take(entry.store)
  const setup = { ...entry, place: place.at, receiver: receiver.url, concurrency: 1 }
  const worker = await startWorker(setup, { file: bench.workerFile }).catch(async (error: unknown) => {
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
