import { expect } from 'vitest'
import { cancelStatement } from '../cancel.ts'
import { claimDueEvents, claimEvents } from '../claim.ts'
import type { OutboxDatabase } from '../database.ts'
import { enqueueEvents } from '../enqueue.ts'
import { newEventId } from '../event.ts'
import { beginEvent } from '../lease.ts'
import { releaseEvents } from '../release.ts'
import { replayEvents } from '../replay.ts'
import { eventIdOf } from '../row-id.ts'
import type { Outcome } from '../outcome.ts'
import { completeEvent, settleEvents } from '../settle.ts'
import { sweepPendingEvents } from '../sweep.ts'
import { type Holds, T, claimOne, event, findAll, insertRows, refOf, row, sharing } from './fixtures.ts'

async function cancel(db: OutboxDatabase, id: string, { limit = 100, workspaceId = 'ws_1' } = {}): Promise<number> {
  const { changes } = await db.run(cancelStatement(db, { eventId: eventIdOf(id), workspaceId, limit }))
  return changes
}

export function cancelPromises(holds: Holds): void {
  holds(
    'a delivery without an attempt fails as cancelled: due, scheduled, dispatched or held',
    async ({ db, rival }) => {
      const eventId = newEventId()
      const rows = [
        event({ eventId, endpointId: 'ep_1', due: 'now' }),
        event({ eventId, endpointId: 'ep_2', due: T }),
        event({ eventId, endpointId: 'ep_3', due: 'dispatched' }),
        event({ eventId, endpointId: 'ep_4', due: 'dispatched' }),
      ]
      await enqueueEvents(db, rows)
      const held = await refOf(db, `${eventId}.ep_4`)
      await settleEvents(db, [{ settle: 'hold', claim: held, reason: 'blocked' }])
      const message = await refOf(db, `${eventId}.ep_3`)
      const before = await findAll(db)
      expect(await cancel(rival, eventId)).toBe(4)
      expect(await findAll(db)).toMatchObject(
        before.map(({ id, gen }) => ({
          id,
          gen: gen + 1,
          status: 'failed',
          lastError: 'cancelled',
          holdReason: null,
          heldAt: null,
          dueAt: null,
          ready: 0,
          completedAt: expect.any(Number) as number,
          attempts: 0,
        })),
      )
      expect(await beginEvent(db, message)).toBe('stale')
      expect((await claimDueEvents(db, { limit: 10, now: 2 * T })).claims).toEqual([])
      expect((await sweepPendingEvents(db, { firstSends: 'all', now: 2 * T })).events).toEqual([])
      expect(await cancel(db, eventId)).toBe(0)
    },
  )

  holds('a delivery in flight, attempted, crashed or replayed is not cancelled', async ({ db, rival }) => {
    const [id = ''] = await insertRows(db, 1)
    const changesNothing = async (what: string): Promise<void> => {
      const before = await row(db, id)
      expect([what, await cancel(rival, id)]).toEqual([what, 0])
      expect(await row(db, id)).toEqual(before)
    }
    const settle = (outcome: Outcome) => settleEvents(db, [outcome], { now: T })
    let claim = await claimOne(db)
    await changesNothing('in flight')
    await settle({ settle: 'reschedule', claim, delayMs: 0, error: 'HTTP 500', httpStatus: 500 })
    await changesNothing('attempted')
    await db.run({ sql: 'update pending_events set attempts = 0, last_status = null', params: [] })
    claim = await claimOne(db)
    await settle({ settle: 'hold', claim, reason: 'endpoint_paused', error: 'HTTP 429', httpStatus: 429 })
    await changesNothing('answered with a wait')
    await db.run({
      sql: "update pending_events set last_status = null, status = 'failed', completed_at = 1, hold_reason = null",
      params: [],
    })
    await changesNothing('failed')
    await replayEvents(db, { ids: [id] }, { now: T })
    await changesNothing('replayed')
    await db.run({ sql: 'update pending_events set replayed_at = null', params: [] })
    await claimOne(db)
    const [crashed] = (await claimDueEvents(db, { limit: 1, now: T + 100_000_000 })).claims
    await releaseEvents(db, crashed ? [crashed] : [])
    await changesNothing('crashed')
  })

  holds('a claim that was released without an attempt is cancelled, and its late owner has lost it', async ({ db }) => {
    await insertRows(db, 1)
    const claim = await claimOne(db)
    await releaseEvents(db, [claim])
    expect(await cancel(db, claim.id)).toBe(1)
    expect(await completeEvent(db, claim)).toBe('lost')
  })

  holds('of a claim and a cancel that race, exactly one gets the row', async ({ db, rival }) => {
    for (let round = 0; round < 10; round++) {
      const [id = ''] = await insertRows(db, 1)
      const ref = await refOf(db, id)
      const [taken, cancelled] = await Promise.all([claimEvents(db, [ref]), cancel(rival, id)])
      expect(taken.claims.length + cancelled).toBe(1)
      expect((await row(db, id)).status).toBe(cancelled === 1 ? 'failed' : 'pending')
    }
  })

  holds('a batch is bounded, in the order of keys, and another workspace or event stays', async ({ db }) => {
    const events = sharing(5)
    await enqueueEvents(db, [...events, event()])
    const [first] = events
    const id = first?.eventId ?? ''
    expect(await cancel(db, id, { workspaceId: 'ws_2' })).toBe(0)
    expect(await cancel(db, id, { limit: 3 })).toBe(3)
    expect((await findAll(db)).map(({ status }) => status)).toEqual([
      ...Array.from({ length: 3 }, () => 'failed'),
      ...Array.from({ length: 3 }, () => 'pending'),
    ])
  })

  holds('a cancelled delivery is replayed by its id, and by no filter', async ({ db }) => {
    const [id = ''] = await insertRows(db, 1)
    await cancel(db, id)
    const filters = [{ status: 'failed' }, { workspaceId: 'ws_1', endpointId: 'ep_1' }] as const
    for (const filter of filters) expect((await replayEvents(db, filter)).ids).toEqual([])
    expect((await replayEvents(db, { ids: [id] }, { now: T })).ids).toEqual([id])
    expect((await claimOne(db)).id).toBe(id)
  })
}
