import { enqueueEvents, newEventId } from '@keepsend/outbox'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { DurableEventQueue } from '../../index.ts'
import { postgresRig } from '../../../test/postgres-rig.ts'
import { startReceiver } from '../../../test/receiver.ts'
import { PATIENCE_MS, rig, until } from '../../../test/rig.ts'
import { startWorker } from '../../../test/worker.ts'
import { PollTrigger } from './poll-trigger.ts'

// Except in the last test the safety poll comes after a minute, longer than any test waits: a trigger caused each arrival.
describe('the poller looks again', { timeout: PATIENCE_MS - 5000 }, () => {
  it('on a kick: rows that this process publishes are sent without the safety poll', async () => {
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

  it('at the next due time: a retry after a second needs no safety poll', async () => {
    const receiver = await startReceiver((request) => request.answer(receiver.requests.length === 1 ? 503 : 200))
    const { engine, queue, rows, addEndpoint, publish } = await rig()
    await addEndpoint(receiver.url, { retrySchedule: [1] })
    await queue.start(engine)
    await publish(1)
    await receiver.arrived(2)
    await until(() => rows().length === 0)
    expect(new Set(receiver.requests.map(({ id }) => id)).size).toBe(1)
  })

  it('when a row becomes due that it saw before', async () => {
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

  it('while an attempt runs: rows that a host inserted on Postgres without a notification are found', async () => {
    const receiver = await startReceiver((request) => request.path === '/fast' && request.answer())
    const { engine, db, queue, addEndpoint, publish, untilRows } = await postgresRig({ database: { listen: false } })
    await addEndpoint(`${receiver.url}/slow`)
    const fast = await addEndpoint(`${receiver.url}/fast`, { eventTypes: ['a.b'] })
    await queue.start(engine)
    await publish(1)
    await receiver.arrived(1)
    // The look at the start finds the first row at most.
    for (let found = 1; found <= 3; found++) {
      await enqueueEvents(db, [
        { eventId: newEventId(), endpointId: fast.id, workspaceId: 'other', type: 'a.b', payload: '{}' },
      ])
      await receiver.arrived(1 + found)
      await untilRows((rows) => rows.length === 1)
    }
    expect(receiver.requests.map(({ path }) => path)).toEqual(['/slow', '/fast', '/fast', '/fast'])
  })

  it('on a kick through another queue on the same handle that was stopped', async () => {
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

  it("on another process's commit", async () => {
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

  it('and ignores a version that cannot be read', async () => {
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

  it('at the safety poll, on a database without a version and rows without a notification', async () => {
    const receiver = await startReceiver()
    const { engine, db, rows, addEndpoint, queue } = await rig({ queue: { pollMs: 100 } })
    const { id: endpointId } = await addEndpoint(receiver.url)
    // The queue holds this object: from now on it gets no signals of other commits.
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

describe('outcomes gather', () => {
  it.for([
    { tookMs: 0, forMs: 10 },
    { tookMs: 4, forMs: 10 },
    { tookMs: 15, forMs: 30 },
    { tookMs: 400, forMs: 50 },
  ])('for $forMs ms after a settle that took $tookMs', ({ tookMs, forMs }) => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const trigger = new PollTrigger(undefined, 60_000)
    trigger.settleBegins()
    vi.advanceTimersByTime(tookMs)
    trigger.settleEnds()
    trigger.gather()
    vi.advanceTimersByTime(forMs - 1)
    // A later outcome of the group does not prolong the wait.
    trigger.gather()
    expect(trigger.settleIsDue).toBe(false)
    vi.advanceTimersByTime(1)
    expect(trigger.settleIsDue).toBe(true)
  })
})
