import { claimDueEvents, newEventId, replayEvents } from '@keepsend/outbox'
import { firstEventIdAt } from '@keepsend/outbox/internal'
import { expect } from 'vitest'
import { type Holds, event, idsAt, insertRow, makeWaitingRowsDue, onlyRow } from './fixtures.ts'

// Older than the time a queue may take to deliver a first message (usually two minutes), and young enough that the row still
// starts as dispatched.
const OLD_MS = 240_000

/** Rows whose message is lost: that costs time, never a delivery. */
export function lostMessagesPromises(holds: Holds): void {
  holds('delivers a row whose first message was lost', async (world) => {
    const { db, engine, addEndpoint, work, rows } = world
    const endpoint = await addEndpoint()
    const id = firstEventIdAt(Date.now() - OLD_MS) + newEventId().slice(17)
    // Committed by a process that ended before it dispatched the row.
    await db.atomic(engine.publishStatements(event(id)))
    expect(await rows()).toHaveLength(1)
    await work()
    expect(await idsAt(endpoint)).toEqual([id])
    expect(await rows()).toEqual([])
  })

  holds('delivers a row that a replay made due, without a message', async (world) => {
    const { db, addEndpoint, publish, work, rows } = world
    const { answer, arrivals } = await addEndpoint()
    await answer(400)
    const [id = ''] = await publish(1)
    await work()
    const failed = await onlyRow(world)
    await answer(200)
    await replayEvents(db, { ids: [failed.id] })
    await work()
    expect((await arrivals()).map((one) => one.id)).toEqual([id, id])
    expect(await rows()).toEqual([])
  })

  holds('delivers a row whose retry lost its message, when its time has come', async (world) => {
    const { addEndpoint, publish, work, rows } = world
    const { answer, arrivals } = await addEndpoint({ retrySchedule: [3600] })
    await answer(503)
    await publish(1)
    await work()
    await answer(200)
    await makeWaitingRowsDue(world)
    await work()
    expect(await arrivals()).toHaveLength(2)
    expect(await rows()).toEqual([])
  })

  holds(
    'delivers a row whose worker died when its lease has expired, and the crash counts no attempt',
    async (world) => {
      const { db, addEndpoint, work } = world
      const endpoint = await addEndpoint()
      await endpoint.answer(400)
      const { id } = await insertRow(world, endpoint, { due: 1 })
      const { claims } = await claimDueEvents(db, { limit: 1, leaseMs: 1000, now: 2 })
      expect(claims).toMatchObject([{ id, attempts: 1 }])
      await work()
      expect(await endpoint.arrivals()).toHaveLength(1)
      expect(await onlyRow(world)).toMatchObject({ status: 'failed', attempts: 1, crashes: 1 })
    },
  )
}
