// The titles and the assertions are in the files of the topics.
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
import { messagesWithoutRowsPromises } from './lib/contract/messages-without-rows.ts'
import { lostMessagesPromises } from './lib/contract/lost-messages.ts'
import { messagesOfRowsPromises } from './lib/contract/messages-of-rows.ts'

export type { ContractArrival, ContractReceiver, EventQueueSettings, EventQueueSetup } from './lib/contract/fixtures.ts'

const TOPICS: Record<string, (holds: Holds) => void> = {
  'rows and batches': batchPromises,
  'messages of rows': messagesOfRowsPromises,
  'messages without rows': messagesWithoutRowsPromises,
  'lost messages': lostMessagesPromises,
  attempts: attemptPromises,
}

// Long enough for a busy machine; a queue that hangs still fails its test.
const HUNG_AFTER_MS = 60_000

/**
 * Declares a vitest test for every promise of the `EventQueue` port, to check an adapter of your own. Call it at the top
 * level of a test file. `create` sets up a running queue on an empty, migrated database for each test and passes its
 * settings to `createEngine`. A test fails after 60 s.
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
