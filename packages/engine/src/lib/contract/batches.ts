import { type ClaimRef, newEventId } from '@keepsend/outbox'
import { eventIdOf, sqlText } from '@keepsend/outbox/internal'
import { expect } from 'vitest'
import { type Holds, event, idsAt, insertRow, messageFor, sendMessages } from './fixtures.ts'

// More than any platform takes in one call: ten, or a hundred.
const MANY = 101

/** How rows start, and batches of messages. */
export function batchPromises(holds: Holds): void {
  holds(
    'starts rows as the queue says: due immediately if it polls, waiting for a message if it is a push queue',
    async (world) => {
      const { db, engine, queue, addEndpoint } = world
      await addEndpoint()
      const { id, ...rest } = event()
      const read = sqlText`select due_at as "dueAt", created_at as "createdAt" from pending_events`
      // In one transaction: a poller may claim the row as soon as it is committed.
      const results = await db.atomic([...engine.publishStatements({ id, ...rest }), read])
      const [row] = results.at(-1)?.rows ?? []
      expect(row?.['dueAt']).toBe(queue.rowsStart === 'dispatched' ? null : row?.['createdAt'])
    },
  )

  holds('delivers every event of a commit once', async (world) => {
    const { addEndpoint, publish, work, rows } = world
    const endpoint = await addEndpoint()
    const ids = await publish(MANY)
    await work()
    expect(await idsAt(endpoint)).toEqual(ids.toSorted())
    expect(await rows()).toEqual([])
  })

  holds('accepts a batch of any number of messages, with and without rows', async (world) => {
    const { queue, addEndpoint, work, rows } = world
    const endpoint = await addEndpoint()
    const inserted: ClaimRef[] = []
    for (let n = 0; n < 12; n++) inserted.push(await insertRow(world, endpoint))
    const eventId = newEventId()
    const { id: _id, ...whole } = event()
    await sendMessages(queue, [...inserted.map(messageFor), { ...whole, eventId }])
    await work()
    expect(await idsAt(endpoint)).toEqual([...inserted.map(({ id }) => eventIdOf(id)), eventId].sort())
    expect(await rows()).toEqual([])
  })

  holds('does nothing with an empty batch', async (world) => {
    const { queue, addEndpoint, work, rows } = world
    const { arrivals } = await addEndpoint()
    await queue.sendBatch?.([])
    await work()
    expect([await arrivals(), await rows()]).toEqual([[], []])
  })
}
