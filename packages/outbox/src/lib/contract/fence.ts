import { expect } from 'vitest'
import { type Claim, claimEvents } from '../claim.ts'
import { enqueueEvent } from '../enqueue.ts'
import { beginEvents, extendLease } from '../lease.ts'
import type { ClaimRef, PendingEvent } from '../row.ts'
import { completeEvent, settleEvents } from '../settle.ts'
import {
  type Holds,
  MINUTE,
  type OutboxDatabases,
  T,
  claimOne,
  clockPast,
  event,
  everyOutcome,
  find,
  findAll,
  moved,
  refOf,
  row,
  rowOf,
} from './fixtures.ts'

interface TwoLives {
  /** Refs from the first life, as its messages and its workers have them: unclaimed, and each of two claims. */
  before: [message: ClaimRef, stalled: ClaimRef, completed: ClaimRef]
  /** The row of the second life, as it was inserted: dispatched to a queue, never attempted. */
  again: PendingEvent
}

/**
 * A worker claims a row and stalls past its lease; a second one claims and completes it, and the row is deleted. Then
 * the same event is inserted again.
 */
async function liveTwice({ db, rival }: OutboxDatabases): Promise<TwoLives> {
  const same = event({ due: 'dispatched' })
  const { id } = await enqueueEvent(db, same)
  const message = await refOf(db, id)
  const [stalled] = (await claimEvents(db, [message], { leaseMs: MINUTE, now: T })).claims
  const completed = await claimOne(rival, T + MINUTE)
  if (stalled === undefined) throw new Error('the first worker claimed nothing')
  expect([moved(stalled).gen, moved(completed).gen]).toEqual([1, 2])
  expect(await completeEvent(rival, completed)).toBe('ok')
  expect(await find(db, id)).toBeUndefined()

  // As with any lease, each move takes longer than a millisecond.
  await clockPast(db, completed.gen)
  expect(await enqueueEvent(db, same)).toEqual({ id, result: 'inserted' })
  return { before: [message, stalled, completed], again: await row(db, id) }
}

/** Claims the row of the second life through its own message. */
async function claimAgain({ rival }: OutboxDatabases, again: PendingEvent): Promise<Claim> {
  const [third] = (await claimEvents(rival, [again], { leaseMs: MINUTE, now: T + 2 * MINUTE })).claims
  if (third === undefined) throw new Error('the third worker claimed nothing')
  return third
}

export function fencePromises(holds: Holds): void {
  holds('a row that is inserted again has a gen that no earlier life of it had', async (databases) => {
    const { before, again } = await liveTwice(databases)
    expect(moved(again)).toMatchObject({ gen: 0, attempts: 0, crashes: 0 })
    expect(again.gen).toBeGreaterThan(Math.max(...before.map(({ gen }) => gen)))
  })

  for (const claimed of [false, true]) {
    const then = claimed ? 'a row that was inserted again and claimed' : 'a row that was inserted again'

    holds(`no late settle of an earlier life, of any kind, changes ${then}`, async (databases) => {
      const { before, again } = await liveTwice(databases)
      const current = claimed ? await claimAgain(databases, again) : again
      for (const ref of before) {
        for (const outcome of everyOutcome({ id: ref.id, gen: ref.gen })) {
          const { lost } = await settleEvents(databases.db, [outcome], { now: T + 2 * MINUTE })
          expect([outcome, lost]).toEqual([outcome, [outcome.claim]])
          expect([outcome, await findAll(databases.db)]).toEqual([outcome, [rowOf(current)]])
        }
      }
      expect(await completeEvent(databases.rival, current)).toBe('ok')
      expect(await findAll(databases.db)).toEqual([])
    })

    holds(`no worker of an earlier life extends the lease of ${then}`, async (databases) => {
      const { before, again } = await liveTwice(databases)
      const current = claimed ? await claimAgain(databases, again) : again
      for (const ref of before) {
        expect(await extendLease(databases.db, [ref], 60 * MINUTE, { now: T + 2 * MINUTE })).toEqual([ref])
      }
      expect(await findAll(databases.db)).toEqual([rowOf(current)])
    })

    holds(`a message of an earlier life is stale, never overtaken, for ${then}`, async (databases) => {
      const { before, again } = await liveTwice(databases)
      const current = claimed ? await claimAgain(databases, again) : again
      for (const ref of before) {
        expect(await beginEvents(databases.db, [ref])).toEqual({
          current: [],
          swept: [],
          stale: [current.id],
          workspacesInLine: [],
        })
        expect(await claimEvents(databases.db, [ref], { now: T + 2 * MINUTE })).toEqual({ claims: [], exhausted: [] })
      }
      expect(await findAll(databases.db)).toEqual([rowOf(current)])
      expect(await beginEvents(databases.db, [current])).toEqual({
        current: [rowOf(current)],
        swept: [],
        stale: [],
        workspacesInLine: [],
      })
    })
  }

  holds('beginEvents uses the later life of two messages for one row', async (databases) => {
    const { before, again } = await liveTwice(databases)
    const messages = [before[0], { id: again.id, gen: again.gen }]
    for (const batch of [messages, messages.toReversed()]) {
      expect(await beginEvents(databases.db, batch)).toEqual({
        current: [again],
        swept: [],
        stale: [],
        workspacesInLine: [],
      })
    }
  })
}
