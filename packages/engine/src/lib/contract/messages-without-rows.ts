import { newEventId } from '@keepsend/outbox'
import { sqlText } from '@keepsend/outbox/internal'
import { expect } from 'vitest'
import { type Holds, event, idsAt, onlyRow } from './fixtures.ts'

/** Messages without an `outboxId`: the event has no rows yet, and the adapter must make them. */
export function messagesWithoutRowsPromises(holds: Holds): void {
  holds('inserts and delivers a row for each subscribed endpoint, under the event id of the message', async (world) => {
    const { queue, addEndpoint, work, rows } = world
    const [all, matching, other] = [
      await addEndpoint(),
      await addEndpoint({ eventTypes: ['message.*'] }),
      await addEndpoint({ eventTypes: ['file.added'] }),
    ]
    const { id, ...message } = event()
    await queue.send({ ...message, eventId: id })
    await work()
    expect([await idsAt(all), await idsAt(matching), await idsAt(other)]).toEqual([[id], [id], []])
    expect(await rows()).toEqual([])
  })

  holds(
    'sends the envelope that a commit would have stored, with the time and on the channels of the event',
    async (world) => {
      const { queue, addEndpoint, work } = world
      const subscribed = await addEndpoint({ channels: ['room.1'] })
      const other = await addEndpoint({ channels: ['room.2'] })
      const { id, type, workspaceId, data } = event()
      const timestamp = '2026-01-02T03:04:05.678Z'
      await queue.send({ type, workspaceId, data, eventId: id, channels: ['room.1'], timestamp })
      await work()
      expect(await subscribed.arrivals()).toMatchObject([{ id, body: JSON.stringify({ type, timestamp, data }) }])
      expect(await other.arrivals()).toEqual([])
    },
  )

  holds('sends a raw body unchanged, with and without a row, and its row has its content type', async (world) => {
    const { engine, queue, addEndpoint, background, work, rows } = world
    const { answer, arrivals } = await addEndpoint()
    // A failed row stays and can be inspected.
    await answer(400)
    const { id, type, workspaceId } = event()
    const raw = { body: '[ "é🙂", 1.0 ]\r\n', contentType: 'application/vnd.acme+json; charset=utf-8' }
    await queue.send({ type, workspaceId, raw, eventId: id })
    await engine.commit({ writes: [], events: [{ type, workspaceId, raw }], background })
    await work()
    expect((await arrivals()).map(({ body }) => body)).toEqual([raw.body, raw.body])
    expect((await rows()).map(({ contentType }) => contentType)).toEqual([raw.contentType, raw.contentType])
  })

  holds('inserts no second row and sends no second request for a repeated message', async (world) => {
    const { queue, addEndpoint, work } = world
    const { answer, arrivals } = await addEndpoint()
    // A failed row stays, so that the repeat finds it.
    await answer(400)
    const { id, ...message } = event()
    for (let copy = 0; copy < 3; copy++) await queue.send({ ...message, eventId: id })
    await work()
    await queue.send({ ...message, eventId: id })
    await work()
    expect(await arrivals()).toHaveLength(1)
    expect(await onlyRow(world)).toMatchObject({ status: 'failed', attempts: 1 })
  })

  holds('inserts no row for an event without a subscribed endpoint, and does not store the event', async (world) => {
    const { queue, addEndpoint, work, rows } = world
    const before = await addEndpoint({ eventTypes: ['file.added'] })
    await queue.send({ ...event(), eventId: newEventId() })
    await work()
    const after = await addEndpoint()
    await work()
    expect([...(await before.arrivals()), ...(await after.arrivals()), ...(await rows())]).toEqual([])
  })

  holds(
    'delivers an event only after its rows are inserted: as soon as the database works, unless the send was rejected',
    async (world) => {
      const { db, engine, addEndpoint, background, work, rows } = world
      const endpoint = await addEndpoint()
      // Makes only the fan-out fail.
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
