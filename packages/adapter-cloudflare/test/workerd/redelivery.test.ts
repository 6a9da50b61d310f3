// Queues deliver a message more than once, late, and beside the sweep's own, and an isolate may end at any time: these tests check
// the requests that reach the receiver, and the final row.
import { env } from 'cloudflare:workers'
import { fromD1 } from '@keepsend/outbox/d1'
import { describe, expect, it, vi } from 'vitest'
import { consumeBatch, createFetchSender, sweep } from '../../src/index.ts'
import { type FaultyD1, faulty } from './faulty.ts'
import {
  type HeldMessage,
  LOST_MS,
  PATIENCE,
  type Rig,
  type RigOptions,
  batchOf,
  fates,
  messagesFor,
  rig,
} from './rig.ts'

type Parts = Rig & FaultyD1 & { deliver: (bodies: readonly unknown[], attempts?: number) => Promise<HeldMessage[]> }

async function newRig(options: RigOptions = {}): Promise<Parts> {
  const faults = faulty(env.DB)
  const parts = await rig({ ...options, wrap: () => fromD1(faults.d1) })
  return {
    ...parts,
    ...faults,
    /** Consumes one batch. */
    async deliver(bodies, attempts = 1) {
      const batch = batchOf(bodies, { attempts })
      await consumeBatch(parts.policy, batch)
      return batch.messages
    },
  }
}

/** The messages sent so far, removed from the queue. */
function take({ sent }: Rig): unknown[] {
  return sent.splice(0).map(({ body }) => body)
}

function count({ length }: readonly unknown[]): number {
  return length
}

describe('the same message twice', () => {
  it('sequentially: one request, and both are acknowledged', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint()
    await parts.publish(1)
    const bodies = take(parts)
    expect(fates(await parts.deliver(bodies))).toEqual(['ack'])
    expect(fates(await parts.deliver(bodies))).toEqual(['ack'])
    expect(fates(await parts.deliver(bodies, 2))).toEqual(['ack'])
    expect(await hook.arrivals()).toHaveLength(1)
    expect(await parts.rows()).toEqual([])
  })

  it('sequentially, after a failed attempt: the second is stale and changes nothing', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint({ status: 500 })
    await parts.publish(1)
    const bodies = take(parts)
    await parts.deliver(bodies)
    const before = await parts.rows()
    expect(before).toMatchObject([{ attempts: 1, moves: 1 }])
    for (const attempts of [1, 2]) expect(fates(await parts.deliver(bodies, attempts))).toEqual(['ack'])
    expect(await parts.rows()).toEqual(before)
    expect(await hook.arrivals()).toHaveLength(1)
    expect(parts.sent).toHaveLength(1)
  })

  it('sequentially, after a requested pause: nothing is sent before its end', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint({ status: 503, headers: { 'retry-after': '600' } })
    await parts.publish(1)
    const bodies = take(parts)
    await parts.deliver(bodies)
    expect(await parts.rows()).toMatchObject([{ status: 'held', attempts: 0, deferrals: 0 }])
    expect(fates(await parts.deliver(bodies))).toEqual(['ack'])
    expect(await hook.arrivals()).toHaveLength(1)
  })

  it.each([
    { status: 200, rows: [], sent: 0 },
    { status: 500, rows: [{ status: 'pending', attempts: 1, moves: 1 }], sent: 1 },
    { status: 400, rows: [{ status: 'failed', attempts: 1, moves: 0 }], sent: 0 },
  ])('concurrently, answered $status: one id, and exactly one settles', async ({ status, rows, sent }) => {
    const parts = await newRig()
    const hook = await parts.addEndpoint({ status: 'never' })
    const [id = ''] = await parts.publish(1)
    const bodies = take(parts)
    const both = [parts.deliver(bodies), parts.deliver(bodies)]
    await vi.waitFor(async () => expect(await hook.open()).toBe(2), PATIENCE)
    await hook.answer({ status })
    expect((await Promise.all(both)).map(fates)).toEqual([['ack'], ['ack']])
    const eventId = id.slice(0, id.indexOf('.'))
    expect((await hook.arrivals()).map((arrival) => arrival.id)).toEqual([eventId, eventId])
    expect(await parts.rows()).toMatchObject(rows)
    expect(parts.sent).toHaveLength(sent)
  })

  it('redelivered by the platform claims its row, which counts an attempt, before it sends', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint({ status: 'never' })
    await parts.publish(1)
    const delivered = parts.deliver(take(parts), 2)
    await vi.waitFor(async () => expect(await hook.open()).toBe(1), PATIENCE)
    const [row] = await parts.rows()
    expect(row).toMatchObject({ attempts: 1, moves: 1 })
    expect(row?.claimedAt).not.toBeNull()
    expect(row?.dueAt).toBeGreaterThan((await parts.now()) + parts.policy.leaseMs / 2)
    await hook.answer({ status: 500 })
    expect(fates(await delivered)).toEqual(['ack'])
    // One attempt counted, and the next message has the gen of the claim.
    const rows = await parts.rows()
    expect(rows).toMatchObject([{ attempts: 1, moves: 2, claimedAt: null, crashes: 0 }])
    expect(take(parts)).toEqual([{ outboxId: rows[0]?.id, gen: rows[0]?.gen, delaySeconds: 5 }])
  })

  it('redelivered concurrently: one claims, the other sends nothing', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint()
    await parts.publish(5)
    const bodies = take(parts)
    const both = await Promise.all([parts.deliver(bodies, 2), parts.deliver(bodies, 2)])
    expect(both.flatMap(fates)).toEqual(Array(10).fill('ack'))
    expect(await hook.arrivals()).toHaveLength(5)
    expect(await parts.rows()).toEqual([])
  })
})

describe('a message that is older than its row', () => {
  async function swept(): Promise<Parts & { hook: Awaited<ReturnType<Rig['addEndpoint']>>; old: unknown[] }> {
    const parts = await newRig()
    const hook = await parts.addEndpoint()
    await parts.publish(1, { agoMs: LOST_MS })
    const old = take(parts)
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 1 })
    return { ...parts, hook, old }
  }

  it('because of a sweep claims the row first; then the message of the sweep is stale', async () => {
    const { hook, old, ...parts } = await swept()
    await hook.answer({ status: 'never' })
    const delivered = parts.deliver(old)
    await vi.waitFor(async () => expect(await hook.open()).toBe(1), PATIENCE)
    const rows = await parts.rows()
    expect(rows).toMatchObject([{ attempts: 1, moves: 2, claimedAt: expect.any(Number) }])
    const newer = take(parts)
    expect(newer).toEqual(messagesFor(rows, 1))
    expect(fates(await parts.deliver(newer))).toEqual(['ack'])
    await hook.answer({ status: 200 })
    expect(fates(await delivered)).toEqual(['ack'])
    expect(await hook.arrivals()).toHaveLength(1)
    expect(await parts.rows()).toEqual([])
  })

  it('and comes after the message of the sweep is acknowledged without a send', async () => {
    const { hook, old, ...parts } = await swept()
    await parts.deliver(take(parts))
    expect(fates(await parts.deliver(old))).toEqual(['ack'])
    expect(await hook.arrivals()).toHaveLength(1)
    expect(await parts.rows()).toEqual([])
  })

  it('and is in flight beside the message of the sweep: one id, and exactly one settles', async () => {
    const { hook, old, ...parts } = await swept()
    await hook.answer({ status: 500 })
    const results = await Promise.all([parts.deliver(old), parts.deliver(take(parts))])
    expect(results.flatMap(fates)).toEqual(['ack', 'ack'])
    const arrivals = await hook.arrivals()
    expect(new Set(arrivals.map(({ id }) => id))).toHaveLength(1)
    expect(arrivals.length).toBeLessThanOrEqual(2)
    expect(await parts.rows()).toMatchObject([{ attempts: 1, claimedAt: null, status: 'pending' }])
    expect(parts.sent).toHaveLength(1)
  })

  it('because the row was swept after an attempt is acknowledged without a send: the message of the sweep makes the next attempt', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint({ status: 500 })
    await parts.publish(1)
    await parts.consume()
    const retry = take(parts)
    await parts.lapse()
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 1 })
    expect(fates(await parts.deliver(retry))).toEqual(['ack'])
    expect(await hook.arrivals()).toHaveLength(1)
    await hook.answer({ status: 200 })
    await parts.consume()
    expect(await hook.arrivals()).toHaveLength(2)
    expect(await parts.rows()).toEqual([])
  })

  it('because a sweep took the row while it waited in its batch sends nothing', async () => {
    const parts = await newRig()
    const stalling = await parts.addEndpoint({ status: 'never' })
    await parts.publish(5, { type: 'first.five' })
    await parts.publish(1, { type: 'the.sixth', agoMs: LOST_MS })
    const delivered = parts.deliver(take(parts))
    await vi.waitFor(async () => expect(await stalling.open()).toBe(5), PATIENCE)
    const read = performance.now()
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 1 })
    // A row that was read within the last second is sent without another read.
    await vi.waitFor(() => expect(performance.now() - read).toBeGreaterThan(1000), PATIENCE)
    await stalling.answer({ status: 200 })
    expect(fates(await delivered)).toEqual(Array(6).fill('ack'))
    expect(await stalling.arrivals()).toHaveLength(5)
    await parts.consume()
    expect(await stalling.arrivals()).toHaveLength(6)
  })
})

describe('an isolate that ends', () => {
  /** Delivers until the isolate ends at the first call that starts with one of the verbs. */
  async function dieAt(parts: Parts, verbs: string[], bodies: readonly unknown[], attempts = 1): Promise<void> {
    parts.judge((call) => (verbs.includes(call.verbs[0] ?? '') ? 'dies' : 'well'))
    void parts.deliver(bodies, attempts)
    await parts.died()
    parts.judge()
  }

  it('before it read the batch: the messages are redelivered, and each is sent once', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint()
    await parts.publish(3)
    const bodies = take(parts)
    await dieAt(parts, ['select'], bodies)
    expect(fates(await parts.deliver(bodies, 2))).toEqual(['ack', 'ack', 'ack'])
    expect(await hook.arrivals()).toHaveLength(3)
    expect(await parts.rows()).toEqual([])
  })

  it('between the response and its settle, and loses its message: swept when the lease expires, and sent once more', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint()
    await parts.publish(1, { agoMs: LOST_MS })
    await dieAt(parts, ['delete'], take(parts))
    expect(await hook.arrivals()).toHaveLength(1)
    expect(await parts.rows()).toMatchObject([{ status: 'pending', attempts: 0 }])
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 1 })
    expect(fates(await parts.consume())).toEqual(['ack'])
    const [first, second, ...more] = await hook.arrivals()
    expect([second?.id, second?.body, more]).toEqual([first?.id, first?.body, []])
    expect(await parts.rows()).toEqual([])
  })

  it('is not swept while its lease lasts', async () => {
    const parts = await newRig()
    await parts.addEndpoint()
    await parts.publish(1)
    const bodies = take(parts)
    await dieAt(parts, ['delete'], bodies)
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 0 })
    await dieAt(parts, ['delete'], bodies, 2)
    expect(await parts.rows()).toMatchObject([{ attempts: 1, claimedAt: expect.any(Number) }])
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 0 })
  })

  it('repeatedly on one row: the first three count no attempt, and in the end it fails as delivery_unconfirmed', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint({ status: 200 }, { retrySchedule: [] })
    await parts.publish(1)
    let bodies = take(parts)
    for (let crash = 1; crash <= 4; crash++) {
      await dieAt(parts, ['delete'], bodies, 2)
      await parts.lapse()
      const { redispatched, exhausted } = await sweep(parts.policy)
      expect([redispatched, exhausted]).toEqual(crash < 4 ? [1, 0] : [0, 1])
      bodies = take(parts)
    }
    expect(bodies).toEqual([])
    expect(await parts.rows()).toMatchObject([
      { status: 'failed', attempts: 1, crashes: 4, dueAt: null, lastError: 'delivery_unconfirmed' },
    ])
    expect(await hook.arrivals()).toHaveLength(4)
  })

  it('repeats no delivery that was settled before, when the whole batch is redelivered', async () => {
    const sender = createFetchSender()
    let deadly = true
    const parts = await newRig({
      engine: {
        sender: {
          send: (request) =>
            deadly && request.body.includes('"deadly.one"') ? new Promise(() => {}) : sender.send(request),
        },
      },
    })
    const hook = await parts.addEndpoint()
    await parts.publish(1, { type: 'deadly.one' })
    await parts.publish(9)
    const bodies = take(parts)
    void parts.deliver(bodies)
    // Nine have arrived and five of them are settled when the isolate ends at the deadly one.
    await vi.waitFor(
      async () => expect([await hook.arrivals(), await parts.rows()].map(count)).toEqual([9, 5]),
      PATIENCE,
    )
    const unsettled = (await parts.rows()).map(({ id }) => id.slice(0, id.indexOf('.')))

    deadly = false
    expect(fates(await parts.deliver(bodies, 2))).toEqual(Array(10).fill('ack'))
    const again = (await hook.arrivals()).slice(9).map(({ id }) => id)
    expect(again.sort()).toEqual(unsettled)
    expect(await parts.rows()).toEqual([])
  })

  it('a claim marks a row without attempts left as failed and logs it, without a send', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint()
    await parts.publish(1)
    await parts.db.run({ sql: 'update pending_events set attempts = max_attempts', params: [] })
    expect(fates(await parts.deliver(take(parts), 2))).toEqual(['ack'])
    expect(await parts.rows()).toMatchObject([{ status: 'failed', lastError: 'attempts_exhausted' }])
    expect(await hook.arrivals()).toEqual([])
    expect(parts.log).toMatchObject([
      {
        level: 'warn',
        message: 'delivery failed: its attempts are exhausted',
        fields: { error: 'attempts_exhausted' },
      },
    ])
  })
})
