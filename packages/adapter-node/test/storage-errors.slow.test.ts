import { type OutboxDatabase, OutboxError, type Statement, toSql } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { startReceiver } from './receiver.ts'
import { PATIENCE_MS, SHORT_LEASE, rig, until } from './rig.ts'

type Fate = 'well' | 'refused' | 'answer lost'

/**
 * A database whose first transactions are refused, or committed with a lost response, as listed; later ones succeed.
 *
 * @param isListed which transactions the list is of
 */
function unreliable(fates: readonly Fate[], isListed: (statements: readonly Statement[]) => boolean = () => true) {
  const state = { on: false, units: 0, refused: 0, lost: 0 }
  const wrap = (db: OutboxDatabase): OutboxDatabase => ({
    ...db,
    async atomic(statements) {
      const fate = state.on && isListed(statements) ? (fates[state.units++] ?? 'well') : 'well'
      if (fate === 'refused') {
        state.refused++
        throw new OutboxError('not_accepted', 'the disk is full')
      }
      const results = await db.atomic(statements)
      if (fate === 'well') return results
      state.lost++
      throw new OutboxError('commit_unconfirmed', 'the connection broke')
    },
  })
  return { state, wrap }
}

const settles = (statements: readonly Statement[]) =>
  statements.some((statement) => toSql(statement, 'sqlite').sql.trim().startsWith('delete from pending_events'))

describe('a database that refuses some of the time', { timeout: PATIENCE_MS }, () => {
  it('loses nothing and sends nothing twice: the poller backs off, logs it, and recovers', async () => {
    const receiver = await startReceiver()
    const { state, wrap } = unreliable(['well', 'refused', 'refused', 'refused', 'well', 'well', 'refused', 'refused'])
    const { engine, queue, rows, log, addEndpoint, publish } = await rig({ wrap, queue: { concurrency: 8 } })
    const { secret } = await addEndpoint(receiver.url)
    const ids = await publish(40)
    state.on = true
    await queue.start(engine)
    await receiver.arrived(40)
    await until(() => rows().length === 0)
    expect(state.refused).toBeGreaterThan(0)
    expect(receiver.requests.map(({ id }) => id).sort()).toEqual(ids.sort())
    expect(log.messages).toContain('database error; retrying')
    receiver.verifyAll(secret)
  })

  it('sends nothing again after a lost response to a settle: its repeat finds the rows gone', async () => {
    const receiver = await startReceiver()
    const { state, wrap } = unreliable(['answer lost', 'well', 'answer lost'], settles)
    const { engine, queue, rows, log, addEndpoint, publish } = await rig({
      wrap,
      engine: SHORT_LEASE.engine,
      queue: { ...SHORT_LEASE.queue, concurrency: 8 },
    })
    await addEndpoint(receiver.url)
    const ids = await publish(40)
    state.on = true
    await queue.start(engine)
    // The rows of a lost claim are due again when their leases expire.
    await until(() => rows().length === 0)
    expect(state.lost).toBeGreaterThan(0)
    expect(receiver.requests.map(({ id }) => id).sort()).toEqual(ids.sort())
    expect(log.messages).toContain('settle rejected: lease lost, another worker owns the delivery')
  })

  it('settles a refused outcome while another attempt runs, without another trigger', async () => {
    const stalled = await startReceiver(() => undefined)
    const receiver = await startReceiver((request) => {
      state.on = true
      request.answer()
    })
    // The settle with its claim, the same without, and once more with the claim after a pause.
    const { state, wrap } = unreliable(['refused', 'refused', 'refused'])
    const { engine, queue, rows, addEndpoint, publish } = await rig({
      wrap,
      queue: { concurrency: 8, leaseMs: 60_000 },
      engine: { deadlineMs: 30_000, maxDeadlineMs: 30_000 },
    })
    await addEndpoint(stalled.url, { eventTypes: ['slow.one'] })
    await addEndpoint(receiver.url, { eventTypes: ['message.created'] })
    await queue.start(engine)
    await publish(1, 'slow.one')
    await stalled.arrived(1)
    await publish(1)
    await until(() => rows().length === 1)
    expect(state.refused).toBe(3)
    expect(stalled.open()).toBe(1)
  })

  it('sends nothing and counts no attempt for a refused claim', async () => {
    const receiver = await startReceiver()
    const { state, wrap } = unreliable(Array.from({ length: 1000 }, () => 'refused'))
    const { engine, queue, rows, log, addEndpoint, publish } = await rig({ wrap })
    await addEndpoint(receiver.url)
    await publish(3)
    state.on = true
    await queue.start(engine)
    await until(() => log.messages.filter((message) => message === 'database error; retrying').length >= 2)
    expect(receiver.requests).toHaveLength(0)
    expect(rows().map(({ attempts, moves }) => [attempts, moves])).toEqual([1, 2, 3].map(() => [0, 0]))
    state.on = false
    await until(() => rows().length === 0)
    expect(receiver.requests).toHaveLength(3)
  })
})

describe('a single row that the database refuses', { timeout: PATIENCE_MS }, () => {
  it.each([
    ["does not undo its neighbours' settles, nor stop the deliveries after it (trap 10)", 'abort'],
    ['stops nobody else either where it ends the whole transaction', 'rollback'],
    ['stops nobody else either where it leaves half a statement', 'fail'],
  ])('%s', async (_promise, raise) => {
    const receiver = await startReceiver((request) => request.answer(request.body.includes('poison') ? 500 : 200, 'no'))
    const { engine, queue, connection, rows, log, addEndpoint, publish } = await rig({ queue: { concurrency: 8 } })
    await addEndpoint(receiver.url)
    connection.exec(`
      create trigger refusing before update on pending_events
      when new.last_error is not null and new.event_type = 'poison.taken'
      begin select raise(${raise}, 'not this row'); end`)
    const [poison] = await publish(1, 'poison.taken')
    await publish(30)
    await queue.start(engine)
    await until(() => rows().length === 1)
    await publish(30)
    await until(() => rows().length === 1 && receiver.requests.length === 61)
    expect(rows()).toMatchObject([{ id: expect.stringContaining(`${poison}.`), status: 'pending', attempts: 1 }])
    expect(log.messages).toContain('batch settle failed; retrying row by row')
    expect(log.messages).toContain('failed to record the outcome; the delivery will be retried when its lease expires')

    connection.exec('drop trigger refusing')
    // As if its lease had expired.
    connection.exec('update pending_events set due_at = 1')
    await queue.send({ type: 'a.b', workspaceId: 'w', outboxId: 'look' })
    await until(() => rows()[0]?.lastStatus === 500)
    expect(rows()).toMatchObject([{ claimedAt: null, crashes: 1, lastError: 'HTTP 500: no' }])
  })
})
