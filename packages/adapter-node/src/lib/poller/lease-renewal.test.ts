import type { DeliveryOutcome, Engine } from '@keepsend/engine'
import type { OutboxDatabase } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { startReceiver } from '../../../test/receiver.ts'
import { PATIENCE_MS, type Rig, SHORT_LEASE, recordDeletedRows, rig, rival, signal, until } from '../../../test/rig.ts'

/** The engine with attempts that last until the test ends them. */
function stalling(engine: Engine): { engine: Engine; begun: () => number; end: () => void } {
  const end = signal()
  let begun = 0
  const deliver = async (): Promise<DeliveryOutcome> => {
    begun++
    await end.promise
    return { kind: 'complete', httpStatus: 200 }
  }
  return { engine: { ...engine, worker: { ...engine.worker, deliver } }, begun: () => begun, end: end.resolve }
}

/** A database that delays its answer to the first claim that finds rows, like a stalled disk or a stopped process. */
function slowToAnswer(): { wrap: (db: OutboxDatabase) => OutboxDatabase; end: () => void; isDelaying: () => boolean } {
  const end = signal()
  let isDelaying = false
  const wrap = (db: OutboxDatabase): OutboxDatabase => ({
    ...db,
    async atomic(statements) {
      const results = await db.atomic(statements)
      if (isDelaying || !results.some(({ rows }) => rows.some((row) => row['claimedAt']))) return results
      isDelaying = true
      await end.promise
      return results
    },
  })
  return { wrap, end: end.resolve, isDelaying: () => isDelaying }
}

const clock = ({ connection }: Rig) => Number(connection.prepare('select ms from keepsend_clock').pluck().get())

describe('leases', { timeout: PATIENCE_MS }, () => {
  it('are renewed while an attempt outlasts them: another poller does not claim the row (trap 14)', async () => {
    const first = await rig(SHORT_LEASE)
    const second = await rival(first, SHORT_LEASE)
    const deleted = recordDeletedRows(first.connection)
    await first.addEndpoint('http://127.0.0.1:9/')
    const [mine, theirs] = [stalling(first.engine), stalling(second.engine)]
    await first.queue.start(mine.engine)
    await first.publish(3)
    await until(() => mine.begun() === 3)
    const leaseEnds = first.rows().map(({ dueAt }) => Number(dueAt))
    await second.queue.start(theirs.engine)

    // Past the end of the first lease, with the second poller running.
    await until(() => clock(first) > Math.max(...leaseEnds) + 300)
    await second.queue.send({ type: 'a.b', workspaceId: 'w', outboxId: 'look' })
    await first.queue.send({ type: 'a.b', workspaceId: 'w', outboxId: 'look' })
    expect(first.rows().every(({ dueAt }, n) => Number(dueAt) > Number(leaseEnds[n]))).toBe(true)
    mine.end()
    await until(() => first.rows().length === 0)
    expect(theirs.begun()).toBe(0)
    expect(deleted().map(({ attempts, moves, crashes }) => [attempts, moves, crashes])).toEqual(
      [1, 2, 3].map(() => [1, 1, 0]),
    )
  })

  it('count from the claim: a row that was due long ago is not claimed again while it runs (trap 18)', async () => {
    const first = await rig()
    const second = await rival(first)
    await first.addEndpoint('http://127.0.0.1:9/')
    const [mine, theirs] = [stalling(first.engine), stalling(second.engine)]
    await first.publish(5)
    first.connection.exec('update pending_events set due_at = 1000, created_at = 1000')
    await first.queue.start(mine.engine)
    await until(() => mine.begun() === 5)
    await second.queue.start(theirs.engine)
    // The second poller has looked when it has delivered something of its own.
    await second.addEndpoint('http://127.0.0.1:9/other', { eventTypes: ['mark.made'] })
    await first.queue.stop({ drainMs: 0 })
    await until(() => theirs.begun() === 5)
    theirs.end()
    await until(() => second.rows().length === 0)
    expect([mine.begun(), theirs.begun()]).toEqual([5, 5])
  })

  it('that expired before the claim was answered start nothing: the new owner sends each row once', async () => {
    const receiver = await startReceiver()
    const slow = slowToAnswer()
    const first = await rig({ ...SHORT_LEASE, wrap: slow.wrap })
    const second = await rival(first, SHORT_LEASE)
    await first.addEndpoint(receiver.url)
    await first.queue.start(first.engine)
    await first.publish(3)
    await until(slow.isDelaying)
    // Takes over when the lease expires.
    await second.queue.start(second.engine)
    await until(() => first.rows().length === 0)
    slow.end()
    await until(() => first.log.messages.some((message) => message.startsWith('released claims: lease nearly expired')))
    await first.publish(1)
    await receiver.arrived(4)
    expect(receiver.requests.map(({ id }) => id)).toEqual([...new Set(receiver.requests.map(({ id }) => id))])
    expect(first.log.messages.filter((message) => message.startsWith('settle rejected'))).toEqual([])
  })

  it('that expired before the claim was answered release rows that nobody else owns, and each is sent and counted once', async () => {
    const receiver = await startReceiver()
    const slow = slowToAnswer()
    const { engine, queue, log, rows, connection, addEndpoint, publish } = await rig({
      ...SHORT_LEASE,
      wrap: slow.wrap,
    })
    const deleted = recordDeletedRows(connection)
    await addEndpoint(receiver.url)
    await queue.start(engine)
    await publish(3)
    await until(slow.isDelaying)
    const leaseEnds = Math.max(...rows().map(({ dueAt }) => Number(dueAt)))
    await until(() => Number(connection.prepare('select ms from keepsend_clock').pluck().get()) > leaseEnds)
    slow.end()
    await until(() => rows().length === 0)
    expect(receiver.requests).toHaveLength(3)
    expect(deleted().map(({ attempts, moves, crashes }) => [attempts, moves, crashes])).toEqual(
      [1, 2, 3].map(() => [1, 3, 0]),
    )
    expect(log.messages.filter((message) => message.startsWith('released claims: lease nearly expired'))).toHaveLength(
      1,
    )
  })
})
