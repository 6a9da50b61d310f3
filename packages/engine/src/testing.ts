// The titles and the assertions stand in the topics.
// oxlint-disable vitest/valid-title, vitest/expect-expect
import { describe, it } from 'vitest'
import { attemptPromises } from './lib/contract/attempts.ts'
import { batchPromises } from './lib/contract/batches.ts'
import {
  type EventQueueSettings,
  type EventQueueSetup,
  type Holds,
  SETTINGS,
  worldOf,
} from './lib/contract/fixtures.ts'
import { keptPromises } from './lib/contract/kept.ts'
import { lostPromises } from './lib/contract/lost.ts'
import { toldPromises } from './lib/contract/told.ts'

export type { ContractArrival, ContractReceiver, EventQueueSettings, EventQueueSetup } from './lib/contract/fixtures.ts'

const TOPICS: Record<string, (holds: Holds) => void> = {
  'rows and batches': batchPromises,
  'a message of a row': toldPromises,
  'a message without a row': keptPromises,
  'a message that is lost': lostPromises,
  attempts: attemptPromises,
}

// A queue that hangs fails its test; one on a busy machine does not.
const HUNG_AFTER_MS = 60_000

/**
 * Every promise of the `EventQueue` port as a vitest test, for an adapter of your own: call it at the top of a test
 * file. `create` sets up a queue at work on a fresh database for each test; hand its settings to `createEngine`.
 *
 * @example
 * eventQueueContract('my queue', async (settings) => {
 *   const queue = new MyEventQueue()
 *   const engine = createEngine({ db, queue, sender, ...settings })
 *   const worker = startWorker(engine, queue)
 *   return { db, engine, queue, receiver: startReceiver, drain: () => worker.idle(), close: () => worker.stop() }
 * })
 */
export function eventQueueContract(
  name: string,
  create: (settings: EventQueueSettings) => Promise<EventQueueSetup>,
): void {
  const holds: Holds = (promise, body) => {
    it(promise, { timeout: HUNG_AFTER_MS }, async () => {
      const setup = await create(SETTINGS)
      try {
        await body(worldOf(setup))
      } finally {
        await setup.close()
      }
    })
  }
  describe(name, () => {
    for (const [topic, promises] of Object.entries(TOPICS)) {
      describe(topic, () => {
        promises(holds)
      })
    }
  })
}
