import { type ClaimRef, newEventId } from '@keepsend/outbox'
import { eventIdOf, sqlText } from '@keepsend/outbox/internal'
import { expect } from 'vitest'
import { type Holds, event, idsAt, keepRow, messageFor, tell } from './fixtures.ts'

// More than any platform takes in one call: ten, or a hundred.
const MANY = 101

/** How rows start, and many of them at once. */
export function batchPromises(holds: Holds): void {
  holds(
    'rows start as the queue says: due at once for one that polls, in no index where a message comes',
    async (world) => {
      const { db, engine, queue, addEndpoint } = world
      await addEndpoint()
      const { id, ...rest } = event()
      const look = sqlText`select due_at as "dueAt", created_at as "createdAt" from pending_events`
      // In one unit: a poller may take the row at once.
      const results = await db.atomic([...engine.publishStatements({ id, ...rest }), look])
      const [row] = results.at(-1)?.rows ?? []
      expect(row?.['dueAt']).toBe(queue.rowsStart === 'dispatched' ? null : row?.['createdAt'])
    },
  )

  holds('every event of a commit is delivered, each once', async (world) => {
    const { addEndpoint, publish, work, rows } = world
    const endpoint = await addEndpoint()
    const ids = await publish(MANY)
    await work()
    expect(await idsAt(endpoint)).toEqual(ids.toSorted())
    expect(await rows()).toEqual([])
  })

  holds('a batch takes messages with rows and messages without, any number of them', async (world) => {
    const { queue, addEndpoint, work, rows } = world
    const endpoint = await addEndpoint()
    const kept: ClaimRef[] = []
    for (let n = 0; n < 12; n++) kept.push(await keepRow(world, endpoint))
    const eventId = newEventId()
    const { id: _id, ...whole } = event()
    await tell(queue, [...kept.map(messageFor), { ...whole, eventId }])
    await work()
    expect(await idsAt(endpoint)).toEqual([...kept.map(({ id }) => eventIdOf(id)), eventId].sort())
    expect(await rows()).toEqual([])
  })

  holds('a batch of none does nothing', async (world) => {
    const { queue, addEndpoint, work, rows } = world
    const { arrivals } = await addEndpoint()
    await queue.sendBatch?.([])
    await work()
    expect([await arrivals(), await rows()]).toEqual([[], []])
  })
}
