// The titles and the assertions are in the topics.
// oxlint-disable vitest/valid-title, vitest/expect-expect
import { describe, it } from 'vitest'
import { cancelPromises } from './lib/contract/cancel.ts'
import { claimPromises } from './lib/contract/claim.ts'
import { cleanupPromises } from './lib/contract/cleanup.ts'
import { contentTypePromises } from './lib/contract/content-type.ts'
import { enqueuePromises } from './lib/contract/enqueue.ts'
import { expirePromises } from './lib/contract/expire.ts'
import { fencePromises } from './lib/contract/fence.ts'
import type { Holds, OutboxDatabases } from './lib/contract/fixtures.ts'
import { holdLanePromises } from './lib/contract/hold-lane.ts'
import { holdPromises } from './lib/contract/hold.ts'
import { invariantPromises } from './lib/contract/invariants.ts'
import { lanePromises } from './lib/contract/lanes.ts'
import { leasePromises } from './lib/contract/lease.ts'
import { migratePromises } from './lib/contract/migrate.ts'
import { oneRowPromises } from './lib/contract/one-row.ts'
import { payloadCleanupPromises } from './lib/contract/payload-cleanup.ts'
import { payloadPromises } from './lib/contract/payload.ts'
import { releasePromises } from './lib/contract/release.ts'
import { replayPromises } from './lib/contract/replay.ts'
import { schedulePromises } from './lib/contract/schedule.ts'
import { settleAndClaimPromises } from './lib/contract/settle-and-claim.ts'
import { settleRecordsPromises } from './lib/contract/settle-records.ts'
import { settlePromises } from './lib/contract/settle.ts'
import { statementPromises } from './lib/contract/statements.ts'
import { statsPromises } from './lib/contract/stats.ts'
import { sweepPromises } from './lib/contract/sweep.ts'
import { transactionPromises } from './lib/contract/transaction.ts'

export type { OutboxDatabases } from './lib/contract/fixtures.ts'

/** The topics of the contract, in the order of a row's life. */
const TOPICS: Record<string, (holds: Holds) => void> = {
  migrate: migratePromises,
  enqueue: enqueuePromises,
  schedule: schedulePromises,
  statements: statementPromises,
  claim: claimPromises,
  lanes: lanePromises,
  lease: leasePromises,
  settle: settlePromises,
  transaction: transactionPromises,
  'settle and claim in one transaction': settleAndClaimPromises,
  'records of a settle': settleRecordsPromises,
  'the fence outlives the row': fencePromises,
  release: releasePromises,
  hold: holdPromises,
  'hold a lane': holdLanePromises,
  sweep: sweepPromises,
  replay: replayPromises,
  'retry now and give up': oneRowPromises,
  expire: expirePromises,
  cancel: cancelPromises,
  'clean-up': cleanupPromises,
  'payloads that are stored once': payloadPromises,
  'types of payloads': contentTypePromises,
  'clean-up of payloads': payloadCleanupPromises,
  stats: statsPromises,
  'any order of verbs': invariantPromises,
}

// A database that hangs fails its test; a slow one on a busy machine does not.
const HUNG_AFTER_MS = 60_000

/**
 * Registers every promise of the outbox as a vitest test, for your own database: call it at the top of a test file.
 * `create` opens a fresh, migrated database for each test; see {@link OutboxDatabases} for the `rival`.
 *
 * @example
 * outboxContract('my database', async () => {
 *   const db = await openMyDatabase()
 *   await migrate(db)
 *   return { db, rival: db, close: () => db.end() }
 * })
 */
export function outboxContract(name: string, create: () => Promise<OutboxDatabases>): void {
  const holds: Holds = (promise, body) => {
    it(promise, { timeout: HUNG_AFTER_MS }, async () => {
      const databases = await create()
      try {
        await body(databases)
      } finally {
        await databases.close()
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
