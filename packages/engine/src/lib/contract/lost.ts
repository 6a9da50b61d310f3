import { claimDueEvents, newEventId, replayEvents } from '@keepsend/outbox'
import { firstEventIdAt } from '@keepsend/outbox/internal'
import { expect } from 'vitest'
import { type Holds, event, idsAt, keepRow, onlyRow, timePasses } from './fixtures.ts'

// Older than a queue may take over its first message (two minutes are usual), and young enough to start handed off.
const OLD_MS = 240_000

/** What happens to a row when nobody is told of it: a message costs time when it is lost, never a delivery. */
export function lostPromises(holds: Holds): void {
  holds('a row whose message never came is delivered all the same', async (world) => {
    const { db, engine, addEndpoint, work, rows } = world
    const endpoint = await addEndpoint()
    const id = firstEventIdAt(Date.now() - OLD_MS) + newEventId().slice(17)
    // Committed by a process that ended before it could tell.
    await db.atomic(engine.publishStatements(event(id)))
    expect(await rows()).toHaveLength(1)
    await work()
    expect(await idsAt(endpoint)).toEqual([id])
    expect(await rows()).toEqual([])
  })

  holds('a row that a replay made due is delivered without a message', async (world) => {
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

  holds('a row whose retry lost its message is delivered when its time has come', async (world) => {
    const { addEndpoint, publish, work, rows } = world
    const { answer, arrivals } = await addEndpoint({ retrySchedule: [3600] })
    await answer(503)
    await publish(1)
    await work()
    await answer(200)
    await timePasses(world)
    await work()
    expect(await arrivals()).toHaveLength(2)
    expect(await rows()).toEqual([])
  })

  holds(
    'a row whose worker died is worked when the lease has ended, and the crash costs it no attempt',
    async (world) => {
      const { db, addEndpoint, work } = world
      const endpoint = await addEndpoint()
      await endpoint.answer(400)
      const { id } = await keepRow(world, endpoint, { due: 1 })
      const { claims } = await claimDueEvents(db, { limit: 1, leaseMs: 1000, now: 2 })
      expect(claims).toMatchObject([{ id, attempts: 1 }])
      await work()
      expect(await endpoint.arrivals()).toHaveLength(1)
      expect(await onlyRow(world)).toMatchObject({ status: 'failed', attempts: 1, crashes: 1 })
    },
  )
}
