import { type Engine, newEventId } from '@keepsend/engine'
import { enqueueEvents } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { DurableEventQueue, type DurableEventQueueOptions, NodeAdapterError } from '../index.ts'
import { copies, startReceiver } from '../../test/receiver.ts'
import { PATIENCE_MS, SHORT_LEASE, rig, rival, until } from '../../test/rig.ts'

const event = () => ({ type: 'message.created', workspaceId: 'w', data: { n: 1 } })

describe('DurableEventQueue.send', { timeout: PATIENCE_MS }, () => {
  it('inserts nothing for a message with an outboxId, and delivers once, signed', async () => {
    const receiver = await startReceiver()
    const { engine, queue, rows, addEndpoint } = await rig()
    const { id: endpointId, secret } = await addEndpoint(receiver.url)
    const eventId = newEventId()
    const outboxId = `${eventId}.${endpointId}`
    await enqueueEvents(engine.db, [
      { eventId, endpointId, workspaceId: 'w', type: 'message.created', payload: '{"kept":1}' },
    ])
    const [row] = rows()
    const message = { ...event(), outboxId, gen: row?.gen ?? 0, eventId, endpointId }
    await queue.send(message)
    expect(rows()).toEqual([row])
    expect(row?.id).toBe(outboxId)

    await queue.start(engine)
    await queue.send(message)
    await receiver.arrived(1)
    await until(() => rows().length === 0)
    expect(receiver.requests.map(({ id, body }) => [id, body])).toEqual([[eventId, '{"kept":1}']])
    receiver.verifyAll(secret)
  })

  it('inserts one row for each subscribed endpoint without an outboxId, and delivers each once', async () => {
    const receiver = await startReceiver()
    const { engine, queue, rows, addEndpoint } = await rig()
    await addEndpoint(`${receiver.url}/a`)
    await addEndpoint(`${receiver.url}/b`, { eventTypes: ['message.*'] })
    await addEndpoint(`${receiver.url}/c`, { eventTypes: ['file.added'] })
    await queue.send(event())
    expect(rows()).toHaveLength(2)

    await queue.start(engine)
    await receiver.arrived(2)
    await until(() => rows().length === 0)
    expect(receiver.requests.map(({ path }) => path).sort()).toEqual(['/a', '/b'])
  })

  it('inserts one row for the same message twice, and all messages of a batch', async () => {
    const { queue, rows, addEndpoint } = await rig()
    await addEndpoint('http://127.0.0.1:9/')
    const message = { ...event(), eventId: newEventId() }
    await queue.send(message)
    await queue.send(message)
    expect(rows()).toHaveLength(1)
    await queue.sendBatch([event(), message, event()])
    expect(rows()).toHaveLength(3)
    await queue.sendBatch([])
    expect(rows()).toHaveLength(3)
  })

  it('rejects when the rows could not be inserted', async () => {
    const { queue, connection, addEndpoint } = await rig()
    await addEndpoint('http://127.0.0.1:9/')
    connection.pragma('query_only = ON')
    await expect(queue.send(event())).rejects.toMatchObject({ code: 'not_accepted' })
  })

  it('delivers a scheduled event at its time, without a poll in between, and nothing before', async () => {
    const receiver = await startReceiver()
    const { engine, queue, rows, addEndpoint } = await rig({ queue: { pollMs: 60_000 } })
    await addEndpoint(receiver.url)
    await queue.start(engine)
    const deliverAt = new Date(Date.now() + 500)
    await engine.publish({ ...event(), deliverAt })
    await receiver.arrived(1)
    expect(Date.now()).toBeGreaterThanOrEqual(deliverAt.getTime())
    await until(() => rows().length === 0)
  })

  it('sends nothing again for a repeated message whose delivery is in flight (trap 16)', async () => {
    const receiver = await startReceiver(() => undefined)
    const { engine, queue, rows, addEndpoint, publish } = await rig({ queue: { concurrency: 4 } })
    await addEndpoint(receiver.url)
    await queue.start(engine)
    await publish(1)
    await receiver.arrived(1)
    const [row] = rows()
    for (let copy = 0; copy < 10; copy++) await queue.send({ ...event(), outboxId: row?.id ?? '', gen: row?.gen ?? 0 })
    receiver.requests[0]?.answer()
    await until(() => rows().length === 0)
    expect(receiver.requests).toHaveLength(1)
  })
})

describe('start and stop', { timeout: PATIENCE_MS }, () => {
  it('deliver the rows of an earlier process after a restart', async () => {
    const receiver = await startReceiver()
    const first = await rig()
    await first.addEndpoint(receiver.url)
    const ids = await first.publish(20)
    expect(first.rows()).toHaveLength(20)

    const second = await rival(first)
    await second.queue.start(second.engine)
    await receiver.arrived(20)
    await until(() => second.rows().length === 0)
    expect(receiver.requests.map(({ id }) => id).sort()).toEqual(ids.sort())
  })

  it('run one poller after two starts, and one stop for two calls', async () => {
    const receiver = await startReceiver()
    const { engine, queue, rows, addEndpoint, publish } = await rig()
    await addEndpoint(receiver.url)
    await Promise.all([queue.start(engine), queue.start(engine)])
    await queue.start(engine)
    await publish(10)
    await receiver.arrived(10)
    await Promise.all([queue.stop(), queue.stop()])
    await queue.stop()
    expect(rows()).toHaveLength(0)
    expect(copies(receiver.requests)).toEqual(Array.from({ length: 10 }, () => 1))
  })

  it('do nothing in a stop without a start, and allow a restart', async () => {
    const receiver = await startReceiver()
    const { engine, queue, rows, addEndpoint, publish } = await rig()
    await queue.stop()
    await addEndpoint(receiver.url)
    await queue.start(engine)
    await queue.stop()
    await publish(1)
    expect(rows()).toHaveLength(1)
    await queue.start(engine)
    await receiver.arrived(1)
    await until(() => rows().length === 0)
  })

  it('stop with `await using`', async () => {
    const receiver = await startReceiver()
    const { engine, db, rows, addEndpoint, publish } = await rig()
    await addEndpoint(receiver.url)
    {
      await using queue = new DurableEventQueue({ db, leaseMs: 20_000 })
      await queue.start(engine)
      await publish(1)
      await queue.send({ ...event(), outboxId: 'known' })
      await receiver.arrived(1)
    }
    expect(rows()).toHaveLength(0)
    await publish(1)
    expect(rows()).toHaveLength(1)
  })
})

describe('options', () => {
  const refusals: [Partial<DurableEventQueueOptions>, string][] = [
    [{ concurrency: 0 }, 'concurrency must be a whole number from 1 to 1000; found 0'],
    [{ settleBatch: 0 }, 'settleBatch must be a whole number from 1 to 900; found 0'],
    [{ concurrency: 1001 }, 'concurrency must be a whole number from 1 to 1000; found 1001'],
    [{ leaseMs: 2999 }, 'leaseMs must be a whole number from 3000 to 3600000; found 2999'],
    [{ pollMs: 99 }, 'pollMs must be a whole number from 100 to 60000; found 99'],
    [{ maintenanceMs: 999.5 }, 'maintenanceMs must be a whole number from 1000 to 3600000; found 999.5'],
    [{ pollMs: Number.NaN }, 'pollMs must be a whole number from 100 to 60000; found NaN'],
  ]

  it.each(refusals)('%j is refused, naming option, expectation and value', async (options, message) => {
    const { db } = await rig()
    const refused = () => new DurableEventQueue({ db, ...options })
    expect(refused).toThrow(message)
    expect(refused).toThrow(NodeAdapterError)
  })

  it('refuse a drain out of bounds, and the queue goes on', async () => {
    const { engine, queue } = await rig()
    await queue.start(engine)
    expect(() => queue.stop({ drainMs: -1 })).toThrow('drainMs must be a whole number from 0 to 3600000; found -1')
    await queue.stop()
  })

  it('refuse at the start a lease shorter than maxDeadlineMs plus 2 s (trap 14)', async () => {
    const { db, queue, engine } = await rig({ ...SHORT_LEASE, engine: { deadlineMs: 1001, maxDeadlineMs: 1001 } })
    const expected = "leaseMs must be at least the engine's maxDeadlineMs (1001) plus 2000 ms; found 3000"
    await expect(queue.start(engine)).rejects.toThrow(expected)
    await expect(queue.start(engine)).rejects.toBeInstanceOf(NodeAdapterError)
    const exact: Engine = { ...engine, worker: { ...engine.worker, maxDeadlineMs: 1000 } }
    const enough = new DurableEventQueue({ db, leaseMs: 3000 })
    await enough.start(exact)
    await enough.stop()
  })
})
