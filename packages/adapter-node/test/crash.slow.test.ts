import { completeEvent } from '@keepsend/outbox'
import { DELIVERY_UNCONFIRMED, MAX_FREE_CRASHES } from '@keepsend/outbox/internal'
import { describe, expect, it } from 'vitest'
import { copies, startReceiver } from './receiver.ts'
import { PATIENCE_MS, recordDeletedRows, rig, until } from './rig.ts'
import { startWorker } from './worker.ts'

describe('a process that dies', { timeout: PATIENCE_MS }, () => {
  it('by SIGKILL during deliveries loses none: the next takes over after the lease, and repeats at most those in flight', async () => {
    const EVENTS = 120
    const CONCURRENCY = 8
    const SETTLE_BATCH = 8
    const IN_FLIGHT = CONCURRENCY + SETTLE_BATCH
    const dying = 'dying'
    const receiver = await startReceiver((request) => {
      const theirs = request.headers['user-agent'] === dying
      // The worker dies with open requests, responses in its sockets, and uncommitted settles.
      if (theirs && receiver.requests.length >= 50) worker.kill('SIGKILL')
      else request.answer()
    })
    const { engine, file, queue, connection, rows, addEndpoint, publish } = await rig()
    const deleted = recordDeletedRows(connection)
    const { secret } = await addEndpoint(receiver.url)
    const ids = await publish(EVENTS)
    const worker = await startWorker({
      file,
      queue: { concurrency: CONCURRENCY, settleBatch: SETTLE_BATCH },
      userAgent: dying,
    })
    await worker.exited
    const begun = rows().filter(({ claimedAt }) => claimedAt !== null)
    expect(begun.length).toBeGreaterThan(0)
    expect(begun.length).toBeLessThanOrEqual(IN_FLIGHT)

    await queue.start(engine)
    await until(() => rows().length === 0)
    expect(new Set(receiver.requests.map(({ id }) => id))).toEqual(new Set(ids))
    expect(copies(receiver.requests).filter((count) => count > 1).length).toBeLessThanOrEqual(IN_FLIGHT)
    expect(Math.max(...copies(receiver.requests))).toBeLessThanOrEqual(2)
    receiver.verifyAll(secret)
    // Rows in flight are marked with the crash, and their attempt does not count.
    const marked = deleted().filter(({ crashes }) => crashes > 0)
    expect(marked.map(({ id }) => id)).toEqual(begun.map(({ id }) => id))
    expect(marked.map(({ crashes, attempts }) => [crashes, attempts])).toEqual(marked.map(() => [1, 1]))
  })

  it('and continues after its lease loses the delivery: its late settle changes nothing (trap 12)', async () => {
    const receiver = await startReceiver((request) => {
      if (request.headers['user-agent'] !== 'stopped') request.answer()
    })
    const { engine, file, queue, db, connection, rows, addEndpoint, publish } = await rig()
    const deleted = recordDeletedRows(connection)
    await addEndpoint(receiver.url)
    const worker = await startWorker({ file, queue: {}, userAgent: 'stopped' })
    await publish(1)
    await receiver.arrived(1)
    const [claimed] = rows()
    expect(claimed).toMatchObject({ status: 'pending', moves: 1, attempts: 1 })

    // As if it had been stopped for its whole lease. If it is in a commit of its maintenance, it continues from there.
    connection.pragma('busy_timeout = 100')
    await until(() => {
      worker.kill('SIGSTOP')
      try {
        return connection.prepare('update pending_events set due_at = 1').run().changes === 1
      } catch {
        worker.kill('SIGCONT')
        return false
      }
    })
    connection.pragma('busy_timeout = 5000')
    await queue.start(engine)
    await until(() => rows().length === 0)
    const after = deleted()
    expect(after).toMatchObject([{ moves: 2, attempts: 1, crashes: 1 }])

    // The response to the first attempt lies in the worker's socket when it continues.
    receiver.requests[0]?.answer()
    worker.kill('SIGCONT')
    await worker.logged('settle rejected: lease lost, another worker owns the delivery')
    expect([rows(), deleted()]).toEqual([[], after])
    expect(await completeEvent(db, { id: claimed?.id ?? '', gen: claimed?.gen ?? 0 })).toBe('lost')
    expect(receiver.requests).toHaveLength(2)
    await worker.stop()
  })

  it('repeatedly on the last attempt fails the row as delivery_unconfirmed, after the crashes that count no attempt', async () => {
    const receiver = await startReceiver()
    const { engine, queue, connection, rows, log, addEndpoint, publish } = await rig()
    const deleted = recordDeletedRows(connection)
    await addEndpoint(receiver.url)
    const [uncounted, failed] = await publish(2)
    // Both as a dead worker left them: the last attempt counted, the claim marked, the lease expired.
    connection
      .prepare(
        'update pending_events set attempts = max_attempts, gen = created_at + 10, claimed_at = 1, due_at = 2, crashes = case when id > ? then ? else ? end',
      )
      .run(`${failed}`, MAX_FREE_CRASHES, MAX_FREE_CRASHES - 1)
    await queue.start(engine)
    await until(() => rows().every(({ status }) => status !== 'pending'))
    expect(deleted()).toMatchObject([{ attempts: 10, crashes: MAX_FREE_CRASHES }])
    expect(rows()).toMatchObject([
      { status: 'failed', attempts: 10, crashes: MAX_FREE_CRASHES + 1, lastError: DELIVERY_UNCONFIRMED, dueAt: null },
    ])
    expect(receiver.requests.map(({ id }) => id)).toEqual([uncounted])
    expect(log.messages).toContain('delivery failed: its attempts are exhausted')
  })
})

describe('two processes on one file', { timeout: PATIENCE_MS }, () => {
  it('deliver each of 300 rows exactly once, and both take part', async () => {
    const WINDOW = 8
    const receiver = await startReceiver((request) => {
      // No response until both have `concurrency` requests in flight, so that neither does it alone.
      if (receiver.requests.length === 2 * WINDOW) receiver.requests.forEach((earlier) => earlier.answer())
      else if (receiver.requests.length > 2 * WINDOW) request.answer()
    })
    const { engine, file, queue, rows, addEndpoint, publish } = await rig({
      queue: { concurrency: WINDOW, leaseMs: 40_000 },
      engine: { userAgent: 'here', deadlineMs: 30_000, maxDeadlineMs: 30_000 },
    })
    const { secret } = await addEndpoint(receiver.url, { deadlineMs: 30_000 })
    const worker = await startWorker({ file, queue: { concurrency: WINDOW }, userAgent: 'there' })
    const ids = await publish(300)
    await queue.start(engine)
    await receiver.arrived(300)
    await until(() => rows().length === 0)
    expect(receiver.requests).toHaveLength(300)
    expect(receiver.requests.map(({ id }) => id).sort()).toEqual(ids.sort())
    receiver.verifyAll(secret)
    const by = (who: string) => receiver.requests.filter(({ headers }) => headers['user-agent'] === who).length
    expect(Math.min(by('here'), by('there'))).toBeGreaterThanOrEqual(WINDOW)
    await worker.stop()
  })
})
