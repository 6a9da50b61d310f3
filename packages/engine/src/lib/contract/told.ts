import { newEventId } from '@keepsend/outbox'
import { eventIdOf, rowId } from '@keepsend/outbox/internal'
import { expect } from 'vitest'
import { type Holds, firstOf, idsAt, keepRow, messageFor, onlyRow, tell, timePasses } from './fixtures.ts'

/** Messages with an `outboxId`: the row is durable already. */
export function toldPromises(holds: Holds): void {
  holds(
    'a message of a row inserts nothing: that row is delivered once, as it was kept, and settled',
    async (world) => {
      const { queue, addEndpoint, work, rows } = world
      const endpoint = await addEndpoint()
      await addEndpoint()
      const payload = '{"kept":  "1" }'
      const kept = await keepRow(world, endpoint, { payload })
      // What the message says besides counts for nothing: not its data, nor the other endpoint, which would want it.
      await queue.send({ ...messageFor(kept), eventId: eventIdOf(kept.id), data: { kept: 2 } })
      await work()
      expect(await endpoint.arrivals()).toMatchObject([{ id: eventIdOf(kept.id), body: payload }])
      expect(await rows()).toEqual([])
    },
  )

  holds('two copies of a message in one call are one delivery', async (world) => {
    const { queue, addEndpoint, work } = world
    const endpoint = await addEndpoint()
    const kept = await keepRow(world, endpoint)
    await tell(queue, [messageFor(kept), messageFor(kept)])
    await work()
    expect(await endpoint.arrivals()).toHaveLength(1)
  })

  holds('a message for a row that has failed sends nothing and changes nothing', async (world) => {
    const { queue, addEndpoint, publish, work } = world
    const { answer, arrivals } = await addEndpoint()
    await answer(400)
    await publish(1)
    await work()
    const failed = await onlyRow(world)
    expect(failed).toMatchObject({ status: 'failed', attempts: 1 })
    await tell(queue, [messageFor(firstOf(failed)), messageFor(failed)])
    await work()
    expect(await arrivals()).toHaveLength(1)
    expect(await onlyRow(world)).toEqual(failed)
  })

  holds('a message for a row that is gone, or never was, sends nothing and makes nothing', async (world) => {
    const { queue, addEndpoint, work, rows } = world
    const endpoint = await addEndpoint()
    const kept = await keepRow(world, endpoint)
    await queue.send(messageFor(kept))
    await work()
    const delivered = eventIdOf(kept.id)
    for (const eventId of [delivered, newEventId()]) {
      const id = rowId(eventId, endpoint.endpointId)
      await queue.send({ ...messageFor({ id, gen: kept.gen }), eventId, data: {} })
    }
    await work()
    expect(await idsAt(endpoint)).toEqual([delivered])
    expect(await rows()).toEqual([])
  })

  holds('a message older than its row sends nothing: the row waits for its own time', async (world) => {
    const { queue, addEndpoint, publish, work } = world
    const { answer, arrivals } = await addEndpoint({ retrySchedule: [3600] })
    await answer(503)
    await publish(1)
    await work()
    const waiting = await onlyRow(world)
    expect(waiting).toMatchObject({ status: 'pending', attempts: 1 })
    await queue.send(messageFor(firstOf(waiting)))
    await work()
    expect(await arrivals()).toHaveLength(1)
    expect(await onlyRow(world)).toEqual(waiting)
  })

  holds(
    'a message for a held row sends nothing; let out, the row is delivered without another message',
    async (world) => {
      const { engine, queue, addEndpoint, publish, background, work, rows } = world
      const { endpointId, answer, arrivals } = await addEndpoint({ retrySchedule: [3600] })
      await answer(503)
      await publish(1)
      await work()
      await engine.endpoints.setStatus('w', endpointId, 'disabled')
      await timePasses(world)
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
