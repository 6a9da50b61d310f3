import { type Engine, newEventId } from '@keepsend/engine'
import { enqueueEvents } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { startReceiver } from '../../../test/receiver.ts'
import { PATIENCE_MS, rig, until } from '../../../test/rig.ts'

const CADENCE = { maintenanceMs: 1000 }

describe('maintenance', { timeout: PATIENCE_MS }, () => {
  it('deletes settled rows at its own interval, repeatedly (trap 4)', async () => {
    const receiver = await startReceiver((request) => request.answer(404))
    const { engine, queue, rows, addEndpoint, publish } = await rig({
      engine: { failedRetentionMs: 0 },
      queue: CADENCE,
    })
    await addEndpoint(receiver.url)
    await queue.start(engine)
    for (let round = 1; round <= 2; round++) {
      await publish(3)
      await receiver.arrived(round * 3)
      await until(() => rows().length === 0)
    }
    expect(receiver.requests).toHaveLength(6)
  })

  it('retains rows that are younger than their retention', async () => {
    const receiver = await startReceiver((request) => request.answer(404))
    const { engine, queue, connection, rows, addEndpoint, publish } = await rig({
      engine: { failedRetentionMs: 60_000 },
      queue: CADENCE,
    })
    await addEndpoint(receiver.url)
    await queue.start(engine)
    const [old] = await publish(2)
    await until(() => rows().every(({ status }) => status === 'failed'))
    connection.prepare("update pending_events set completed_at = completed_at - 61000 where id like ? || '.%'").run(old)
    await until(() => rows().length === 1)
    expect(rows()[0]?.id.startsWith(`${old}.`)).toBe(false)
  })

  it('logs each error and goes on, and so do deliveries (trap 4)', async () => {
    const receiver = await startReceiver((request) => request.answer(404))
    const { engine, queue, rows, log, addEndpoint, publish } = await rig({
      engine: { failedRetentionMs: 0 },
      queue: CADENCE,
    })
    await addEndpoint(receiver.url)
    let failures = 2
    const failing: Engine = {
      ...engine,
      worker: {
        ...engine.worker,
        async maintain() {
          if (failures-- > 0) throw new Error('the disk is full')
          return engine.worker.maintain()
        },
      },
    }
    await queue.start(failing)
    await publish(2)
    await receiver.arrived(2)
    await until(() => rows().length === 0)
    expect(
      log.messages.filter((message) => message === 'maintenance failed; retrying at the next interval'),
    ).toHaveLength(2)
    expect(log.fields).toContainEqual(expect.objectContaining({ error: 'the disk is full' }))
  })

  it('finishes its current round on stop, and starts no other', async () => {
    const { engine, queue } = await rig({ queue: CADENCE })
    let [begun, ended] = [0, 0]
    const counted: Engine = {
      ...engine,
      worker: {
        ...engine.worker,
        async maintain() {
          begun++
          const done = await engine.worker.maintain()
          ended++
          return { ...done, more: true }
        },
      },
    }
    await queue.start(counted)
    await queue.stop()
    expect(ended).toBe(begun)
    // The round reported more, so without the stop another would follow.
    expect(begun).toBe(1)
  })
})

describe('rows that were dispatched to another queue', { timeout: PATIENCE_MS }, () => {
  it('are adopted when their message is lost (trap 9)', async () => {
    const receiver = await startReceiver()
    const { engine, queue, connection, rows, log, addEndpoint } = await rig()
    const { id: endpointId, secret } = await addEndpoint(receiver.url)
    const row = () => ({
      eventId: newEventId(),
      endpointId,
      workspaceId: 'w',
      type: 'a.b',
      payload: '{}',
      due: 'dispatched' as const,
    })
    const [lost, young] = [row(), row()]
    await enqueueEvents(engine.db, [lost, young])
    expect((await engine.stats()).dispatched).toBe(2)
    // One was dispatched an hour ago; the message of the other may still be on its way.
    connection
      .prepare("update pending_events set created_at = created_at - 3600000 where id like ? || '.%'")
      .run(lost.eventId)
    // The last sweep of such rows was long ago.
    connection.prepare('update keepsend_sweep_pass set began_at = 0').run()
    await queue.start(engine)
    await receiver.arrived(1)
    await until(() => rows().length === 1)
    expect(receiver.requests.map(({ id }) => id)).toEqual([lost.eventId])
    receiver.verifyAll(secret)
    expect(rows()).toMatchObject([{ id: `${young.eventId}.${endpointId}`, dueAt: null, attempts: 0 }])
    expect(log.messages).toContain('adopted orphaned rows dispatched to another queue')
  })
})
