import { newEventId } from '@keepsend/outbox'
import { eventIdOf, rowId } from '@keepsend/outbox/internal'
import { expect } from 'vitest'
import {
  type Holds,
  firstClaimOf,
  idsAt,
  insertRow,
  makeWaitingRowsDue,
  messageFor,
  onlyRow,
  sendMessages,
} from './fixtures.ts'

/** Messages with an `outboxId`: the row is already committed. */
export function messagesOfRowsPromises(holds: Holds): void {
  holds('inserts nothing for a message: its row is delivered once, as it was stored, and settled', async (world) => {
    const { queue, addEndpoint, work, rows } = world
    const endpoint = await addEndpoint()
    await addEndpoint()
    const payload = '{"stored":  "1" }'
    const inserted = await insertRow(world, endpoint, { payload })
    // The other properties of the message are ignored: its data, and the other endpoint, which is subscribed too.
    await queue.send({ ...messageFor(inserted), eventId: eventIdOf(inserted.id), data: { stored: 2 } })
    await work()
    expect(await endpoint.arrivals()).toMatchObject([{ id: eventIdOf(inserted.id), body: payload }])
    expect(await rows()).toEqual([])
  })

  holds('makes one delivery of two copies of a message in one call', async (world) => {
    const { queue, addEndpoint, work } = world
    const endpoint = await addEndpoint()
    const inserted = await insertRow(world, endpoint)
    await sendMessages(queue, [messageFor(inserted), messageFor(inserted)])
    await work()
    expect(await endpoint.arrivals()).toHaveLength(1)
  })

  holds('sends nothing and changes nothing for a message of a failed row', async (world) => {
    const { queue, addEndpoint, publish, work } = world
    const { answer, arrivals } = await addEndpoint()
    await answer(400)
    await publish(1)
    await work()
    const failed = await onlyRow(world)
    expect(failed).toMatchObject({ status: 'failed', attempts: 1 })
    await sendMessages(queue, [messageFor(firstClaimOf(failed)), messageFor(failed)])
    await work()
    expect(await arrivals()).toHaveLength(1)
    expect(await onlyRow(world)).toEqual(failed)
  })

  holds('sends nothing and inserts nothing for a message of a row that is gone or never existed', async (world) => {
    const { queue, addEndpoint, work, rows } = world
    const endpoint = await addEndpoint()
    const inserted = await insertRow(world, endpoint)
    await queue.send(messageFor(inserted))
    await work()
    const delivered = eventIdOf(inserted.id)
    for (const eventId of [delivered, newEventId()]) {
      const id = rowId(eventId, endpoint.endpointId)
      await queue.send({ ...messageFor({ id, gen: inserted.gen }), eventId, data: {} })
    }
    await work()
    expect(await idsAt(endpoint)).toEqual([delivered])
    expect(await rows()).toEqual([])
  })

  holds('sends nothing for a message with an old `gen`: the row waits for its time', async (world) => {
    const { queue, addEndpoint, publish, work } = world
    const { answer, arrivals } = await addEndpoint({ retrySchedule: [3600] })
    await answer(503)
    await publish(1)
    await work()
    const waiting = await onlyRow(world)
    expect(waiting).toMatchObject({ status: 'pending', attempts: 1 })
    await queue.send(messageFor(firstClaimOf(waiting)))
    await work()
    expect(await arrivals()).toHaveLength(1)
    expect(await onlyRow(world)).toEqual(waiting)
  })

  holds(
    'sends nothing for a message of a held row; resumed, the row is delivered without another message',
    async (world) => {
      const { engine, queue, addEndpoint, publish, background, work, rows } = world
      const { endpointId, answer, arrivals } = await addEndpoint({ retrySchedule: [3600] })
      await answer(503)
      await publish(1)
      await work()
      await engine.endpoints.setStatus('w', endpointId, 'disabled')
      await makeWaitingRowsDue(world)
      await work()
      const held = await onlyRow(world)
      expect(held).toMatchObject({ status: 'held', attempts: 1 })
      await queue.send(messageFor(held))
      await work()
      expect(await onlyRow(world)).toEqual(held)
      expect(await arrivals()).toHaveLength(1)

      await answer(200)
      await engine.endpoints.setStatus('w', endpointId, 'enabled', { background })
      await work()
      expect(await arrivals()).toHaveLength(2)
      expect(await rows()).toEqual([])
    },
  )
}
