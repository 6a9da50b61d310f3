import type { Engine } from '@keepsend/engine'
import { newEventId } from '@keepsend/engine'
import { enqueueEvents } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { startReceiver } from '../../../test/receiver.ts'
import { PATIENCE_MS, rig, until } from '../../../test/rig.ts'

const CADENCE = { maintenanceMs: 1000 }

describe('upkeep', { timeout: PATIENCE_MS }, () => {
  it('prunes settled rows by its own cadence, again and again (trap 4)', async () => {
    const receiver = await startReceiver()
    const { engine, queue, rows, addEndpoint, publish } = await rig({
      engine: { keepCompleted: true, retentionMs: 0 },
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

  it('leaves what is younger than its retention', async () => {
    const receiver = await startReceiver()
    const { engine, queue, connection, rows, addEndpoint, publish } = await rig({
      engine: { keepCompleted: true, retentionMs: 60_000 },
      queue: CADENCE,
    })
    await addEndpoint(receiver.url)
    await queue.start(engine)
    const [old] = await publish(2)
    await until(() => rows().every(({ status }) => status === 'completed'))
    connection.prepare("update pending_events set completed_at = completed_at - 61000 where id like ? || '.%'").run(old)
    await until(() => rows().length === 1)
    expect(rows()[0]?.id.startsWith(`${old}.`)).toBe(false)
  })

  it('an error is logged at each round and ends nothing: deliveries go on, and so does the clean-up (trap 4)', async () => {
    const receiver = await startReceiver()
    const { engine, queue, rows, log, addEndpoint, publish } = await rig({
      engine: { keepCompleted: true, retentionMs: 0 },
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

  it('a stop waits for the round under way, and none begins after it', async () => {
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
    // It was told that there is more, so it would have gone on.
    expect(begun).toBe(1)
  })
})

describe('rows that were handed to a queue elsewhere', { timeout: PATIENCE_MS }, () => {
  it('are taken over when their message is lost: the row is the truth, not the message (trap 9)', async () => {
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
    // One that its queue has had for an hour, and one that its queue may well be about to send.
    connection
      .prepare("update pending_events set created_at = created_at - 3600000 where id like ? || '.%'")
      .run(lost.eventId)
    // The last look at all such rows was long ago.
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
