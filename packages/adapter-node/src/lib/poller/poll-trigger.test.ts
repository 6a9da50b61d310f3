import { enqueueEvents, newEventId } from '@keepsend/outbox'
import { describe, expect, it, onTestFinished } from 'vitest'
import { DurableEventQueue } from '../../index.ts'
import { postgresRig } from '../../../test/postgres-rig.ts'
import { startReceiver } from '../../../test/receiver.ts'
import { PATIENCE_MS, rig, until } from '../../../test/rig.ts'
import { startWorker } from '../../../test/worker.ts'

// But for the last test the safety poll comes after a minute, which none of these waits for: what arrives was woken.
describe('what wakes the poller', { timeout: PATIENCE_MS - 5000 }, () => {
  it('a kick: what this process publishes is sent without a poll', async () => {
    const receiver = await startReceiver()
    const { engine, queue, rows, addEndpoint, publish } = await rig()
    await addEndpoint(receiver.url)
    await queue.start(engine)
    for (let round = 1; round <= 5; round++) {
      await publish(1)
      await receiver.arrived(round)
      await until(() => rows().length === 0)
    }
    expect(receiver.requests).toHaveLength(5)
  })

  it('the next due time: a retry of one second comes without a poll', async () => {
    const receiver = await startReceiver((request) => request.answer(receiver.requests.length === 1 ? 503 : 200))
    const { engine, queue, rows, addEndpoint, publish } = await rig()
    await addEndpoint(receiver.url, { retrySchedule: [1] })
    await queue.start(engine)
    await publish(1)
    await receiver.arrived(2)
    await until(() => rows().length === 0)
    expect(new Set(receiver.requests.map(({ id }) => id)).size).toBe(1)
  })

  it('a row that is due later than the poller looked is sent when it is due', async () => {
    const receiver = await startReceiver()
    const { engine, queue, rows, addEndpoint } = await rig()
    const { id: endpointId } = await addEndpoint(receiver.url)
    const due = Date.now() + 1500
    await enqueueEvents(engine.db, [
      { eventId: newEventId(), endpointId, workspaceId: 'w', type: 'a.b', payload: '{}', due },
    ])
    await queue.start(engine)
    await receiver.arrived(1)
    await until(() => rows().length === 0)
    expect(Date.now()).toBeGreaterThanOrEqual(due)
  })

  it('nothing, while an attempt runs: what a host inserted on Postgres and announced to nobody is found all the same', async () => {
    const receiver = await startReceiver((request) => request.path === '/fast' && request.answer())
    const { engine, db, queue, addEndpoint, publish, untilRows } = await postgresRig({ database: { listen: false } })
    await addEndpoint(`${receiver.url}/slow`)
    const fast = await addEndpoint(`${receiver.url}/fast`, { eventTypes: ['a.b'] })
    await queue.start(engine)
    await publish(1)
    await receiver.arrived(1)
    // What the start wakes finds the first of them at most.
    for (let found = 1; found <= 3; found++) {
      await enqueueEvents(db, [
        { eventId: newEventId(), endpointId: fast.id, workspaceId: 'other', type: 'a.b', payload: '{}' },
      ])
      await receiver.arrived(1 + found)
      await untilRows((rows) => rows.length === 1)
    }
    expect(receiver.requests.map(({ path }) => path)).toEqual(['/slow', '/fast', '/fast', '/fast'])
  })

  it('a kick through another queue on the same handle, which was stopped', async () => {
    const receiver = await startReceiver()
    const { engine, db, queue, rows, addEndpoint, publish } = await rig()
    await addEndpoint(receiver.url)
    const second = new DurableEventQueue({ db, pollMs: 60_000 })
    onTestFinished(() => second.stop({ drainMs: 0 }))
    await queue.start(engine)
    await second.start(engine)
    await queue.stop()
    for (let round = 1; round <= 3; round++) {
      await publish(1)
      await receiver.arrived(round)
      await until(() => rows().length === 0)
    }
    expect(receiver.requests).toHaveLength(3)
  })

  it("another process's commit", async () => {
    const receiver = await startReceiver()
    const { engine, file, queue, rows, addEndpoint } = await rig()
    await addEndpoint(receiver.url)
    await queue.start(engine)
    const other = await startWorker({ file })
    for (let round = 1; round <= 3; round++) {
      await other.publish(2)
      await receiver.arrived(round * 2)
      await until(() => rows().length === 0)
    }
    expect(receiver.requests).toHaveLength(6)
    await other.stop()
  })

  it('a version that cannot be read wakes nobody and ends nothing', async () => {
    const receiver = await startReceiver()
    const { engine, db, queue, rows, addEndpoint, publish } = await rig()
    await addEndpoint(receiver.url)
    let looks = 0
    Object.assign(db, {
      version() {
        looks++
        throw new Error('disk I/O error')
      },
    })
    await queue.start(engine)
    await until(() => looks > 3)
    await publish(1)
    await receiver.arrived(1)
    await until(() => rows().length === 0)
    expect(receiver.requests).toHaveLength(1)
  })

  it('the safety poll, where nothing else tells: a database without a version, rows that nobody announced', async () => {
    const receiver = await startReceiver()
    const { engine, db, rows, addEndpoint, queue } = await rig({ queue: { pollMs: 100 } })
    const { id: endpointId } = await addEndpoint(receiver.url)
    // The queue was given this object: from here on it cannot tell other commits.
    Object.assign(db, { version: undefined })
    await queue.start(engine)
    await enqueueEvents(engine.db, [
      { eventId: newEventId(), endpointId, workspaceId: 'w', type: 'a.b', payload: '{}' },
    ])
    await receiver.arrived(1)
    await until(() => rows().length === 0)
    expect(receiver.requests).toHaveLength(1)
  })
})
