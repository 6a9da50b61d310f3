// Events that wait for their time, expire or are cancelled, on D1 with a queue and its cron.
import { sqlText } from '@keepsend/outbox/internal'
import { describe, expect, it } from 'vitest'
import { InlineEventQueue, consumeBatch, sweep } from '../../src/index.ts'
import { type Rig, batchOf, fates, rig } from './rig.ts'

const HOUR_MS = 3_600_000
const event = { type: 'message.created', workspaceId: 'w', data: { n: 1 } }

async function publish({ engine }: Rig, times: { deliverAt?: Date; expiresInMs?: number }): Promise<string> {
  const dispatched: Promise<void>[] = []
  const { eventId } = await engine.publish({ ...event, ...times }, (work) => void dispatched.push(work))
  await Promise.all(dispatched)
  return eventId
}

/** Lets the time of the rows come. */
async function come({ db }: Rig): Promise<void> {
  await db.run(sqlText`
    update pending_events set due_at = due_at - ${2 * HOUR_MS}, deliver_at = deliver_at - ${2 * HOUR_MS},
      expires_at = expires_at - ${2 * HOUR_MS}`)
}

const inAnHour = (): Date => new Date(Date.now() + HOUR_MS)

describe('a scheduled event', () => {
  it('has no message before its time, is dispatched by the tick after it, and is delivered once', async () => {
    const parts = await rig()
    const hook = await parts.addEndpoint()
    const eventId = await publish(parts, { deliverAt: inAnHour() })
    await parts.engine.dispatch(eventId)
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 0 })
    expect(parts.sent).toEqual([])
    expect(await parts.rows()).toMatchObject([{ status: 'pending', moves: 0, ready: 0, dueAt: expect.any(Number) }])

    await come(parts)
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 1 })
    expect(fates(await parts.consume())).toEqual(['ack'])
    expect(await hook.arrivals()).toHaveLength(1)
    expect(await parts.rows()).toEqual([])
  })

  it('that travelled without rows is inserted to wait for its time', async () => {
    const parts = await rig()
    const hook = await parts.addEndpoint()
    const [deliverAt, expiresAt] = [inAnHour().toISOString(), new Date(Date.now() + 2 * HOUR_MS).toISOString()]
    const messages = batchOf([{ ...event, deliverAt, expiresAt }])
    await consumeBatch(parts.policy, messages)
    expect(fates(messages.messages)).toEqual(['ack'])
    expect(parts.sent).toEqual([])
    const times = { deliverAt: Date.parse(deliverAt), expiresAt: Date.parse(expiresAt) }
    expect(await parts.rows()).toMatchObject([{ ...times, dueAt: times.deliverAt, status: 'pending' }])
    await come(parts)
    expect(await sweep(parts.policy)).toMatchObject({ maintenance: { expired: 1 } })
    await parts.consume()
    expect(await hook.arrivals()).toEqual([])
    expect(await parts.rows()).toMatchObject([{ status: 'failed', lastError: 'expired' }])
  })

  it('waits without a queue too', async () => {
    const queue = new InlineEventQueue()
    const parts = await rig({ engine: { queue, maxDeadlineMs: 10_000 } })
    queue.start(parts.engine)
    const hook = await parts.addEndpoint()
    await publish(parts, { deliverAt: inAnHour() })
    expect(await queue.sweep()).toMatchObject({ redispatched: 0 })
    expect(await hook.arrivals()).toEqual([])
    await come(parts)
    expect(await queue.sweep()).toMatchObject({ redispatched: 1 })
    expect(await hook.arrivals()).toHaveLength(1)
  })
})

describe('a dispatched event', () => {
  it('that is cancelled is not sent: its message is stale', async () => {
    const parts = await rig()
    const hook = await parts.addEndpoint()
    const eventId = await publish(parts, {})
    expect(await parts.engine.cancelEvent('w', eventId)).toEqual({ cancelled: 1, tooLate: 0 })
    expect(fates(await parts.consume())).toEqual(['ack'])
    await come(parts)
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 0 })
    expect(await hook.arrivals()).toEqual([])
    expect(await parts.rows()).toMatchObject([{ status: 'failed', lastError: 'cancelled', moves: 1 }])
  })
})
