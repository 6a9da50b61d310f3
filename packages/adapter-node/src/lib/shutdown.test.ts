import { describe, expect, it } from 'vitest'
import { type Request, copies, startReceiver } from '../../test/receiver.ts'
import { PATIENCE_MS, rig, until } from '../../test/rig.ts'

describe('stop', { timeout: PATIENCE_MS }, () => {
  it('claims nothing more, lets attempts in flight finish, and settles them before it resolves (trap 26)', async () => {
    const receiver = await startReceiver(() => undefined)
    const { engine, queue, rows, addEndpoint, publish } = await rig({ queue: { concurrency: 4 } })
    await addEndpoint(receiver.url)
    await queue.start(engine)
    await publish(10)
    await receiver.arrived(4)

    const stopped = queue.stop({ drainMs: PATIENCE_MS })
    receiver.requests.forEach((request) => request.answer())
    await stopped
    expect(receiver.requests).toHaveLength(4)
    const left = rows()
    expect(left).toHaveLength(6)
    expect(left.map(({ attempts, claimedAt }) => [attempts, claimedAt])).toEqual(left.map(() => [0, null]))
  })

  it('releases the rows of a claim in progress: nothing starts once the stop has begun', async () => {
    const receiver = await startReceiver()
    const { engine, queue, rows, addEndpoint, publish } = await rig({ queue: { concurrency: 4 } })
    await addEndpoint(receiver.url)
    await publish(4)
    // The first claim waits for its commit; the stop comes before it.
    await queue.start(engine)
    await queue.stop()
    expect(receiver.requests).toHaveLength(0)
    expect(rows().map(({ attempts, moves, claimedAt }) => [attempts, moves, claimedAt])).toEqual(
      Array.from({ length: 4 }, () => [0, 2, null]),
    )
  })

  it('releases claims that still run when the drain ends: no attempt counted, due now, under a new gen (trap 26)', async () => {
    const receiver = await startReceiver(() => undefined)
    const { engine, queue, rows, log, addEndpoint, publish } = await rig({ queue: { concurrency: 4 } })
    await addEndpoint(receiver.url)
    await queue.start(engine)
    await publish(3)
    await receiver.arrived(3)
    expect(rows().map(({ attempts, moves }) => [attempts, moves])).toEqual([1, 2, 3].map(() => [1, 1]))

    await queue.stop({ drainMs: 0 })
    const left = rows()
    expect(left.map(({ attempts, moves, claimedAt, crashes }) => [attempts, moves, claimedAt, crashes])).toEqual(
      [1, 2, 3].map(() => [0, 2, null, 0]),
    )
    expect((await engine.stats()).due).toBe(3)
    expect(log.messages).toContainEqual(expect.stringContaining('released claims'))

    // Late outcomes of these attempts change nothing.
    receiver.requests.forEach((request) => request.answer())
    await queue.start(engine)
    await receiver.arrived(6)
    receiver.requests.slice(3).forEach((request) => request.answer())
    await until(() => rows().length === 0)
    expect(log.messages.filter((message) => /lease lost|too late/.test(message))).toEqual([])
  })

  it('during heavy load leaves no claim behind, and no answered delivery is sent again', async () => {
    const receiver = await startReceiver()
    const { engine, queue, rows, addEndpoint, publish } = await rig({ queue: { concurrency: 8 } })
    await addEndpoint(receiver.url)
    await publish(300)
    await queue.start(engine)
    await receiver.arrived(100)
    await queue.stop({ drainMs: PATIENCE_MS })
    const left = rows()
    expect(left.length).toBeGreaterThan(0)
    expect(left.map(({ claimedAt, attempts }) => [claimedAt, attempts])).toEqual(left.map(() => [null, 0]))
    expect(receiver.requests.length + left.length).toBe(300)

    await queue.start(engine)
    await until(() => rows().length === 0)
    expect(copies(receiver.requests)).toEqual(Array.from({ length: 300 }, () => 1))
  })

  it('ends with its drain while the database refuses, and every row is still there', async () => {
    const receiver = await startReceiver()
    const { engine, queue, connection, rows, log, addEndpoint, publish } = await rig()
    await addEndpoint(receiver.url)
    await publish(2)
    connection.pragma('query_only = ON')
    await queue.start(engine)
    await until(() => log.messages.includes('database error; retrying'))
    await queue.stop({ drainMs: 50 })
    expect(rows()).toHaveLength(2)
    expect(receiver.requests).toHaveLength(0)
  })
})

describe('attempts', { timeout: PATIENCE_MS }, () => {
  it('use the full concurrency and never exceed it', async () => {
    const held: Request[] = []
    const receiver = await startReceiver((request) => {
      held.push(request)
      // One response for each arrival beyond the first `concurrency`, so that all slots stay in use.
      if (receiver.requests.length >= 5) held.shift()?.answer()
    })
    const { engine, queue, rows, addEndpoint, publish } = await rig({ queue: { concurrency: 5 } })
    await addEndpoint(receiver.url)
    await queue.start(engine)
    await publish(60)
    await receiver.arrived(60)
    expect(receiver.mostOpen()).toBe(5)
    held.forEach((request) => request.answer())
    await until(() => rows().length === 0)
    expect(receiver.requests).toHaveLength(60)
  })

  it('of 100 others arrive while the request of a stalled receiver is open (trap 19)', async () => {
    const stalled = await startReceiver(() => undefined)
    const fast = await startReceiver()
    // The engine's longest deadline, so that the stall lasts longer than the hundred even on a slow machine.
    const { engine, queue, rows, addEndpoint, publish } = await rig({
      queue: { concurrency: 4, leaseMs: 60_000 },
      engine: { deadlineMs: 30_000, maxDeadlineMs: 30_000 },
    })
    await addEndpoint(stalled.url, { eventTypes: ['slow.one'] })
    await addEndpoint(fast.url, { eventTypes: ['message.created'] })
    await queue.start(engine)
    await publish(1, 'slow.one')
    await stalled.arrived(1)
    await publish(100)
    await fast.arrived(100)
    await until(() => rows().length === 1)
    expect(stalled.open()).toBe(1)
    expect(fast.requests).toHaveLength(100)
    expect(fast.mostOpen()).toBeLessThanOrEqual(3)
  })

  it('sent and not settled are bounded, however fast the responses: a crash can repeat no more', async () => {
    // Sent but unsettled: the requests that arrived minus the rows that are gone, at each arrival.
    const unsettled: number[] = []
    const receiver = await startReceiver((request) => {
      unsettled.push(receiver.requests.length - (80 - rows().length))
      request.answer()
    })
    const { engine, queue, rows, addEndpoint, publish } = await rig({ queue: { concurrency: 8, settleBatch: 16 } })
    await addEndpoint(receiver.url)
    await publish(80)
    await queue.start(engine)
    await receiver.arrived(80)
    await until(() => rows().length === 0)
    expect(Math.max(...unsettled)).toBeLessThanOrEqual(8 + 16)
    expect(receiver.mostOpen()).toBeLessThanOrEqual(8)
    expect(Math.max(...unsettled)).toBeGreaterThan(1)
  })

  it("have a deadline that begins with the request: waiting for a slot is not the receiver's time (trap 36)", async () => {
    const receiver = await startReceiver((request) => void setTimeout(() => request.answer(), 300))
    const { engine, queue, rows, addEndpoint, publish } = await rig({
      queue: { concurrency: 1 },
      engine: { deadlineMs: 800 },
    })
    await addEndpoint(receiver.url)
    // Five take 1,500 ms sequentially, nearly two deadlines.
    await publish(5)
    await queue.start(engine)
    await receiver.arrived(5)
    await until(() => rows().length === 0)
    expect(receiver.requests).toHaveLength(5)
  })
})
