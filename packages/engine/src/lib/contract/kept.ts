import { newEventId } from '@keepsend/outbox'
import { sqlText } from '@keepsend/outbox/internal'
import { expect } from 'vitest'
import { type Holds, event, idsAt, onlyRow } from './fixtures.ts'

/** Messages without an `outboxId`: the adapter owns their durability. */
export function keptPromises(holds: Holds): void {
  holds(
    'a message without a row makes one for each endpoint that wants the event, under the id it carries',
    async (world) => {
      const { queue, addEndpoint, work, rows } = world
      const [wants, too, other] = [
        await addEndpoint(),
        await addEndpoint({ eventTypes: ['message.*'] }),
        await addEndpoint({ eventTypes: ['file.added'] }),
      ]
      const { id, ...message } = event()
      await queue.send({ ...message, eventId: id })
      await work()
      expect([await idsAt(wants), await idsAt(too), await idsAt(other)]).toEqual([[id], [id], []])
      expect(await rows()).toEqual([])
    },
  )

  holds(
    'what arrives is the envelope that a commit would have kept, at the time and on the channels of the event',
    async (world) => {
      const { queue, addEndpoint, work } = world
      const listens = await addEndpoint({ channels: ['room.1'] })
      const elsewhere = await addEndpoint({ channels: ['room.2'] })
      const { id, type, workspaceId, data } = event()
      const timestamp = '2026-01-02T03:04:05.678Z'
      await queue.send({ type, workspaceId, data, eventId: id, channels: ['room.1'], timestamp })
      await work()
      expect(await listens.arrivals()).toMatchObject([{ id, body: JSON.stringify({ type, timestamp, data }) }])
      expect(await elsewhere.arrivals()).toEqual([])
    },
  )

  holds('a raw body arrives as it is, with a row and without one, and its row keeps its type', async (world) => {
    const { engine, queue, addEndpoint, background, work, rows } = world
    const { answer, arrivals } = await addEndpoint()
    // Its rows stay, to be looked at.
    await answer(400)
    const { id, type, workspaceId } = event()
    const raw = { body: '[ "é🙂", 1.0 ]\r\n', contentType: 'application/vnd.acme+json; charset=utf-8' }
    await queue.send({ type, workspaceId, raw, eventId: id })
    await engine.commit({ writes: [], events: [{ type, workspaceId, raw }], background })
    await work()
    expect((await arrivals()).map(({ body }) => body)).toEqual([raw.body, raw.body])
    expect((await rows()).map(({ contentType }) => contentType)).toEqual([raw.contentType, raw.contentType])
  })

  holds('the same message again makes no second row and no second delivery', async (world) => {
    const { queue, addEndpoint, work } = world
    const { answer, arrivals } = await addEndpoint()
    // Its row stays, so that the repeat finds it.
    await answer(400)
    const { id, ...message } = event()
    for (let copy = 0; copy < 3; copy++) await queue.send({ ...message, eventId: id })
    await work()
    await queue.send({ ...message, eventId: id })
    await work()
    expect(await arrivals()).toHaveLength(1)
    expect(await onlyRow(world)).toMatchObject({ status: 'failed', attempts: 1 })
  })

  holds('an event that nobody wants makes no row and is not kept for later', async (world) => {
    const { queue, addEndpoint, work, rows } = world
    const before = await addEndpoint({ eventTypes: ['file.added'] })
    await queue.send({ ...event(), eventId: newEventId() })
    await work()
    const after = await addEndpoint()
    await work()
    expect([...(await before.arrivals()), ...(await after.arrivals()), ...(await rows())]).toEqual([])
  })

  holds(
    'without its rows it is never delivered: they are made as soon as they can be, or the send rejects',
    async (world) => {
      const { db, engine, addEndpoint, background, work, rows } = world
      const endpoint = await addEndpoint()
      // The fan-out fails, and nothing else does.
      await db.run(sqlText`alter table keepsend_subscriptions rename to keepsend_elsewhere`)
      const { eventId, accepted } = await engine.publish(event(), background)
      expect(accepted).toBe(false)
      await work()
      expect([await endpoint.arrivals(), await rows()]).toEqual([[], []])

      await db.run(sqlText`alter table keepsend_elsewhere rename to keepsend_subscriptions`)
      await work()
      const rejected = engine.counters.notAccepted === 1
      expect(await idsAt(endpoint)).toEqual(rejected ? [] : [eventId])
      expect(await rows()).toEqual([])
    },
  )
}
