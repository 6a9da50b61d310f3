// The queue has a bounded number of messages of a workspace; its other rows wait in lanes.
import { env } from 'cloudflare:workers'
import { newEventId } from '@keepsend/outbox'
import { sqlText } from '@keepsend/outbox/internal'
import { fromD1 } from '@keepsend/outbox/d1'
import { describe, expect, it } from 'vitest'
import { CloudflareEventQueue, consumeBatch, sweep } from '../../src/index.ts'
import { faulty } from './faulty.ts'
import { metered } from './metered.ts'
import { type HeldMessage, type Rig, type RigOptions, type StandingRow, batchOf, fates, rig } from './rig.ts'

/** Longer than messages wait in a queue that is not behind. */
const BEHIND_MS = 10_000

const inLine = async ({ rows }: Rig, workspaceId = 'w'): Promise<StandingRow[]> =>
  (await rows()).filter((row) => row.ready === 1 && row.workspaceId === workspaceId)

/** Publishes `count` single events to `w`, each in its own commit. */
async function publishOneByOne({ publish }: Rig, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await publish(1)
}

/** Consumes the queue in full batches until nothing is sent any more. */
async function drain(made: Rig, how: { waitedMs?: number } = {}): Promise<HeldMessage[]> {
  const messages: HeldMessage[] = []
  while (made.sent.length > 0) messages.push(...(await made.consume({ most: made.policy.maxBatchSize, ...how })))
  return messages
}

const idsSent = ({ sent }: Rig): string[] => sent.map(({ body }) => (body as { outboxId: string }).outboxId)

describe('a publish', () => {
  it('of 10,000 rows dispatches 100, so that a neighbour’s message waits behind no more', async () => {
    const made = await rig()
    const a = await made.addEndpoint()
    for (let n = 1; n < 20; n++) await made.addEndpoint()
    await made.addEndpoint({ status: 200 }, { workspaceId: 'b' })
    await made.publish(500)
    expect(made.sent).toHaveLength(100)
    expect(await inLine(made)).toHaveLength(9900)
    await made.publish(1, { workspaceId: 'b' })
    expect(made.sent).toHaveLength(101)
    expect(await inLine(made, 'b')).toEqual([])
    expect(await a.arrivals()).toEqual([])
  })

  it('for a workspace with waiting rows waits in its lane, for two written rows and without a message', async () => {
    const meter = metered(env.DB)
    const made = await rig({ wrap: () => fromD1(meter.d1), messagesPerPublish: 1 })
    await made.addEndpoint()
    await made.publish(3)
    expect(made.sent).toHaveLength(1)
    meter.read()
    await made.publish(1)
    expect(meter.read()).toMatchObject({ rowsWritten: 2 })
    expect(made.sent).toHaveLength(1)
    expect(await inLine(made)).toHaveLength(3)
  })

  it('in the host’s own transaction is bounded too, when the host dispatches it', async () => {
    const made = await rig({ messagesPerPublish: 2 })
    for (let n = 0; n < 5; n++) await made.addEndpoint()
    const event = { id: newEventId(), type: 't', workspaceId: 'w', data: {} }
    await made.db.atomic(made.engine.publishStatements(event))
    await made.engine.dispatch(event.id)
    expect([made.sent.length, (await inLine(made)).length]).toEqual([2, 3])
    await made.engine.dispatch(event.id)
    expect([made.sent.length, (await inLine(made)).length]).toEqual([4, 3])
  })

  it('sends its first messages when the other rows cannot be moved to lanes; the sweep finds those', async () => {
    const faults = faulty(env.DB)
    const made = await rig({ wrap: () => fromD1(faults.d1), messagesPerPublish: 1 })
    await made.addEndpoint()
    faults.judge(({ verbs }) => (verbs.includes('update') ? 'refused' : 'well'))
    await made.publish(3, { agoMs: 200_000 })
    expect(made.sent).toHaveLength(1)
    expect(made.log).toMatchObject([
      { level: 'warn', message: expect.stringContaining('failed to release rows into their lanes') },
    ])
    faults.judge()
    await sweep(made.policy)
    expect(new Set(idsSent(made))).toHaveLength(3)
  })

  it('accepts a messagesPerPublish from 1 to 10,000', () => {
    const queue = { sendBatch: async () => {} }
    for (const messagesPerPublish of [0, 10_001, 1.5]) {
      expect(() => new CloudflareEventQueue({ queue, messagesPerPublish })).toThrow(/^messagesPerPublish must be/)
    }
  })
})

describe('a settle', () => {
  it('of a workspace with waiting rows dispatches some in the same commit, until all are delivered once', async () => {
    const made = await rig({ messagesPerPublish: 7 })
    const hook = await made.addEndpoint()
    await made.publish(60)
    expect(made.sent).toHaveLength(7)
    expect(fates(await drain(made)).every((fate) => fate === 'ack')).toBe(true)
    expect(await hook.arrivals()).toHaveLength(60)
    expect(await made.rows()).toEqual([])
  })

  it('leases rows under a new gen, and counts no attempt', async () => {
    const made = await rig({ messagesPerPublish: 1 })
    await made.addEndpoint()
    await made.publish(4)
    const now = await made.now()
    await made.consume()
    const taken = (await made.rows()).filter(({ ready }) => ready === 0)
    expect(taken).toMatchObject([
      { moves: 2, attempts: 0, crashes: 0, claimedAt: null },
      { moves: 2, attempts: 0, crashes: 0, claimedAt: null },
    ])
    for (const { dueAt } of taken) expect(dueAt).toBeGreaterThanOrEqual(now + made.policy.leaseMs)
    expect(made.sent.map(({ body }) => body)).toEqual(taken.map(({ id, gen }) => ({ outboxId: id, gen })))
  })

  // Outcomes settle in groups of five, and three more for five are half as many again.
  it.each([
    ['half as many more while messages wait for nobody', 0, 10, 16],
    ['as many while they wait half a second', 700, 10, 10],
    ['nine for ten while they wait a second', 1500, 10, 9],
    ['19 for 20 while they wait a second', 1500, 20, 19],
    ['never less than five, however long they wait', 60_000, 5, 5],
  ])('dispatches %s', async (_name, waitedMs, before, after) => {
    const made = await rig({ messagesPerPublish: before, policy: { maxBatchSize: before } })
    await made.addEndpoint()
    await made.publish(100)
    await made.consume({ most: before })
    // None of these is a first attempt, so none is released.
    await made.db.run(sqlText`update pending_events set crashes = 1`)
    made.sent.splice(before)
    await made.consume({ waitedMs })
    expect(made.sent).toHaveLength(after)
  })

  it('rotates through the endpoints of the workspace, however many they are', async () => {
    const made = await rig({ messagesPerPublish: 1 })
    for (let n = 0; n < 40; n++) await made.addEndpoint()
    await made.publish(5)
    const served: string[] = []
    for (let turn = 0; turn < 60; turn++) {
      served.push(...idsSent(made).map((id) => id.slice(id.indexOf('.'))))
      await made.consume({ most: 1, waitedMs: 5700 })
    }
    expect(new Set(served).size).toBe(40)
  })

  it('of a workspace without waiting rows makes no further call and write', async () => {
    const meter = metered(env.DB)
    const made = await rig({ wrap: () => fromD1(meter.d1), messagesPerPublish: 5 })
    await made.addEndpoint()
    await made.addEndpoint({ status: 200 }, { workspaceId: 'b' })
    await made.publish(10)
    await made.publish(5, { workspaceId: 'b' })
    made.sent.splice(0, 5)
    meter.read()
    await made.consume()
    const { rowsWritten, kinds } = meter.read()
    expect(rowsWritten).toBe(5)
    // The read of the batch, the endpoint, and the settle.
    expect(kinds).toHaveLength(3)
  })

  it('of the last row in the queue dispatches from the lanes', async () => {
    const made = await rig({ messagesPerPublish: 1 })
    const hook = await made.addEndpoint({ status: 500 }, { retrySchedule: [3600] })
    await made.publish(3)
    // Longer than the five seconds in which a batch may fill.
    await made.consume({ waitedMs: 5700 })
    const bodies = made.sent.filter(({ delaySeconds }) => delaySeconds === undefined)
    expect(bodies).toHaveLength(1)
    expect(await inLine(made)).toHaveLength(1)
    expect(await hook.arrivals()).toHaveLength(1)
  })

  it('of a retry dispatches nothing: its first attempt did', async () => {
    const made = await rig({ messagesPerPublish: 1 })
    await made.addEndpoint({ status: 500 }, { retrySchedule: [1, 3600] })
    await made.publish(9)
    await made.consume({ waitedMs: 5700 })
    const [next, retry] = made.sent.splice(0).toSorted((one) => (one.delaySeconds ? 1 : -1))
    expect([next?.delaySeconds, retry?.delaySeconds]).toEqual([undefined, 1])
    await consumeBatch(made.policy, batchOf([retry?.body]))
    expect(made.sent).toHaveLength(1)
    expect(await inLine(made)).toHaveLength(7)
  })

  it('that holds the rows of a disabled endpoint holds its lane too, and dispatches rows of another', async () => {
    const made = await rig({ messagesPerPublish: 1 })
    const off = await made.addEndpoint({ status: 200 }, { eventTypes: ['off.one'] })
    const on = await made.addEndpoint({ status: 200 }, { eventTypes: ['on.one'] })
    await made.publish(5, { type: 'off.one' })
    await made.publish(2, { type: 'on.one' })
    await made.engine.endpoints.setStatus('w', off.endpointId, 'disabled')
    await drain(made)
    expect((await made.rows()).map(({ status, holdReason }) => [status, holdReason])).toEqual(
      Array.from({ length: 5 }, () => ['held', 'endpoint_disabled']),
    )
    expect([(await off.arrivals()).length, (await on.arrivals()).length]).toEqual([0, 2])
  })
})

describe('a top-up', () => {
  async function topped(options: RigOptions): Promise<Rig> {
    const made = await rig({ messagesPerPublish: 1, ...options })
    await made.addEndpoint()
    await made.publish(3)
    return made
  }

  it('whose messages the queue refuses is released without an attempt, and the cron dispatches it', async () => {
    let fate: 'well' | 'refused' = 'well'
    const made = await topped({ queueFate: () => fate })
    fate = 'refused'
    expect(fates(await made.consume())).toEqual(['ack'])
    expect(await inLine(made)).toMatchObject([{ attempts: 0 }, { attempts: 0 }])
    expect(made.log).toMatchObject([{ level: 'warn', message: expect.stringContaining('the sweep will dispatch') }])
    fate = 'well'
    expect(await sweep(made.policy)).toMatchObject({ redispatched: 2 })
    await drain(made)
    expect(await made.rows()).toEqual([])
  })

  it('whose messages are lost, as when its consumer dies, is found when its lease expires', async () => {
    const made = await topped({})
    await made.consume()
    made.sent.length = 0
    expect(await sweep(made.policy)).toMatchObject({ redispatched: 0 })
    await made.lapse()
    expect(await sweep(made.policy)).toMatchObject({ redispatched: 2 })
    await drain(made)
    expect(await made.rows()).toEqual([])
  })

  it('whose commit is lost with its consumer is repeated by the redelivered message', async () => {
    const faults = faulty(env.DB)
    const made = await topped({ wrap: () => fromD1(faults.d1) })
    const bodies = made.sent.map(({ body }) => body)
    made.sent.length = 0
    faults.judge(({ verbs }) => (verbs.includes('delete') ? 'dies' : 'well'))
    void consumeBatch(made.policy, batchOf(bodies))
    await faults.died()
    expect(await inLine(made)).toHaveLength(2)
    await consumeBatch(made.newIsolate(), batchOf(bodies, { attempts: 2 }))
    expect(made.sent).toHaveLength(2)
    faults.judge()
    await drain(made)
    expect(await made.rows()).toEqual([])
  })
})

it('leaves the resumed rows of an enabled endpoint to their own messages', async () => {
  const made = await rig()
  const hook = await made.addEndpoint()
  await made.engine.endpoints.setStatus('w', hook.endpointId, 'disabled')
  await made.db.run(sqlText`update keepsend_endpoints set status = 'enabled'`)
  await made.publish(20)
  await made.engine.endpoints.setStatus('w', hook.endpointId, 'disabled')
  await made.consume()
  expect(await made.rows()).toMatchObject(Array.from({ length: 20 }, () => ({ status: 'held' })))
  await made.engine.endpoints.setStatus('w', hook.endpointId, 'enabled')
  expect(made.sent).toHaveLength(20)
  expect(await inLine(made)).toEqual([])
  expect(await sweep(made.policy)).toMatchObject({ redispatched: 0 })
  await drain(made)
  expect(await hook.arrivals()).toHaveLength(20)
})

describe('a queue that is behind', () => {
  it('has first attempts released to their lanes, ten in a commit, until the neighbour behind them is reached', async () => {
    const made = await rig()
    const a = await made.addEndpoint({ status: 'never' })
    const b = await made.addEndpoint({ status: 200 }, { workspaceId: 'b' })
    await publishOneByOne(made, 50)
    await made.publish(1, { workspaceId: 'b' })
    expect(made.sent).toHaveLength(51)
    for (let batch = 0; batch < 5; batch++) {
      expect(fates(await made.consume({ most: 10, waitedMs: BEHIND_MS }))).toEqual(Array(10).fill('ack'))
    }
    expect(await a.arrivals()).toEqual([])
    // Five of the first batch are sent, and one of each other.
    expect(made.sent).toHaveLength(1 + 5 + 4)
    expect(await inLine(made)).toHaveLength(50 - 9)
    await made.consume({ most: 1, waitedMs: BEHIND_MS })
    expect(await b.arrivals()).toHaveLength(1)
    await a.answer({ status: 200 })
    await drain(made)
    expect(await a.arrivals()).toHaveLength(50)
    expect(await made.rows()).toEqual([])
  })

  it('releases nothing of five rows of a workspace, of retries, and of batches that only waited to fill', async () => {
    const made = await rig()
    const hook = await made.addEndpoint({ status: 500 }, { retrySchedule: [1] })
    await publishOneByOne(made, 5)
    await made.consume({ waitedMs: BEHIND_MS })
    expect(await hook.arrivals()).toHaveLength(5)
    await hook.answer({ status: 200 })
    await publishOneByOne(made, 4)
    await made.consume({ waitedMs: 5000 })
    expect(await hook.arrivals()).toHaveLength(14)
    await publishOneByOne(made, 9)
    await made.consume({ waitedMs: 6000 })
    expect(await hook.arrivals()).toHaveLength(23)
    expect(await made.rows()).toEqual([])
  })

  it('is not behind because of delays that were requested', async () => {
    const made = await rig()
    const hook = await made.addEndpoint()
    await made.publish(10)
    const bodies = made.sent.splice(0).map(({ body }) => ({ ...(body as object), delaySeconds: 60 }))
    await consumeBatch(made.policy, batchOf(bodies, { waitedMs: 60_000 }))
    expect(await hook.arrivals()).toHaveLength(10)
  })

  it('has a redelivered message of a released row acknowledged without a send', async () => {
    const made = await rig()
    const hook = await made.addEndpoint()
    await made.publish(10)
    const bodies = made.sent.map(({ body }) => body)
    await made.consume({ waitedMs: BEHIND_MS })
    const before = await made.rows()
    const inLineNow = new Set((await inLine(made)).map(({ id }) => id))
    const stale = bodies.filter((body) => inLineNow.has((body as { outboxId: string }).outboxId))
    expect(stale).toHaveLength(5)
    for (const attempts of [1, 2]) {
      const again = batchOf(stale, { attempts })
      await consumeBatch(made.policy, again)
      expect(fates(again.messages)).toEqual(Array(5).fill('ack'))
    }
    expect(await made.rows()).toEqual(before)
    expect(await hook.arrivals()).toEqual([])
  })

  it('sends each row once while a consumer releases rows and crons dispatch them concurrently', async () => {
    const made = await rig()
    const hook = await made.addEndpoint()
    await made.publish(30)
    const swept = [made.policy, made.newIsolate()].map((policy) => sweep(policy))
    const consumed = made.consume({ waitedMs: BEHIND_MS })
    await Promise.all([consumed, ...swept])
    await sweep(made.policy)
    await drain(made)
    expect(new Set((await hook.arrivals()).map(({ id }) => id))).toHaveLength(30)
    expect(await hook.arrivals()).toHaveLength(30)
    expect(await made.rows()).toEqual([])
  })

  it('redelivers the messages of a consumer that dies before it releases rows', async () => {
    const faults = faulty(env.DB)
    const made = await rig({ wrap: () => fromD1(faults.d1) })
    const hook = await made.addEndpoint()
    await made.publish(10)
    const bodies = made.sent.splice(0).map(({ body }) => body)
    faults.judge(({ verbs }) => (verbs.includes('update') ? 'dies' : 'well'))
    void consumeBatch(made.policy, batchOf(bodies, { waitedMs: BEHIND_MS }))
    await faults.died()
    expect(await inLine(made)).toEqual([])
    await consumeBatch(made.newIsolate(), batchOf(bodies, { attempts: 2 }))
    expect(await hook.arrivals()).toHaveLength(10)
    expect(await made.rows()).toEqual([])
  })

  it('leaves rows to the cron if the consumer dies after releasing them: each is sent once, and no attempt counts for the release', async () => {
    const sending = Promise.withResolvers<void>()
    const messages: unknown[] = []
    let isDead = false
    const made = await rig({
      queue: {
        async sendBatch(batch) {
          if (!isDead) return void messages.push(...[...batch].map(({ body }) => body))
          sending.resolve()
          return new Promise(() => {})
        },
      },
    })
    const hook = await made.addEndpoint()
    await made.publish(10)
    const bodies = messages.splice(0)
    isDead = true
    void consumeBatch(made.policy, batchOf(bodies, { waitedMs: BEHIND_MS }))
    await sending.promise
    isDead = false
    expect((await made.rows()).map(({ ready, attempts }) => `${ready} ${attempts}`).sort()).toEqual(
      [0, 0, 0, 0, 0, 1, 1, 1, 1, 1].map((ready) => `${ready} 0`),
    )
    await made.lapse()
    expect(await sweep(made.newIsolate())).toMatchObject({ redispatched: 10 })
    await consumeBatch(made.newIsolate(), batchOf(messages))
    // Unacknowledged messages come back, and are stale.
    await consumeBatch(made.newIsolate(), batchOf(bodies, { attempts: 2 }))
    expect(await hook.arrivals()).toHaveLength(10)
    expect(await made.rows()).toEqual([])
  })
})

describe('a tick of the cron', () => {
  it('dispatches at most 20 waiting rows of each workspace', async () => {
    const made = await rig({ messagesPerPublish: 1 })
    for (const workspaceId of ['w', 'a', 'b', 'c']) {
      await made.addEndpoint({ status: 200 }, { workspaceId })
      await made.publish(workspaceId === 'w' ? 200 : 5, { workspaceId })
    }
    made.sent.length = 0
    expect(await sweep(made.policy)).toMatchObject({ redispatched: 20 + 3 * 4 })
    expect(await sweep(made.policy)).toMatchObject({ redispatched: 20 })
    expect(await inLine(made)).toHaveLength(200 - 1 - 40)
  })

  it('divides its limit between the workspaces with waiting rows', async () => {
    const made = await rig({ messagesPerPublish: 1, policy: { sweepLimit: 10 } })
    for (const workspaceId of ['a', 'b', 'c', 'd', 'w']) {
      await made.addEndpoint({ status: 200 }, { workspaceId })
      await made.publish(30, { workspaceId })
    }
    expect(await sweep(made.policy)).toMatchObject({ redispatched: 10 })
    for (const workspaceId of ['a', 'b', 'c', 'd', 'w']) expect(await inLine(made, workspaceId)).toHaveLength(27)
  })

  it('reports the age of the oldest waiting row', async () => {
    const made = await rig({ messagesPerPublish: 1 })
    await made.addEndpoint()
    await made.publish(50)
    await made.db.run(sqlText`update pending_events set due_at = due_at - 600000 where ready = 1`)
    expect((await sweep(made.policy)).oldestDueMs).toBeGreaterThanOrEqual(600_000)
  })
})

describe('a batch', () => {
  it('alternates between workspaces, then endpoints: one that never answers does not use all slots', async () => {
    const made = await rig()
    const stuck = await made.addEndpoint({ status: 'never' }, { deadlineMs: 1000 })
    const other = await made.addEndpoint({ status: 'never' }, { deadlineMs: 1000 })
    const b = await made.addEndpoint({ status: 200 }, { workspaceId: 'b' })
    await made.publish(4)
    await made.publish(2, { workspaceId: 'b' })
    const consumed = made.consume()
    await expect.poll(async () => (await b.arrivals()).length).toBe(2)
    expect((await stuck.arrivals()).length + (await other.arrivals()).length).toBeLessThanOrEqual(5)
    await consumed
    expect([(await stuck.arrivals()).length, (await other.arrivals()).length]).toEqual([4, 4])
  })
})
