// How a batch is consumed: its reads, its requests and their concurrency, and the result of its messages.
import { env } from 'cloudflare:workers'
import { newEventId } from '@keepsend/outbox'
import { fromD1 } from '@keepsend/outbox/d1'
import { describe, expect, it, vi } from 'vitest'
import { consumeBatch } from '../../src/index.ts'
import { faulty } from './faulty.ts'
import { PATIENCE, type Rig, type RigOptions, batchOf, fates, messagesFor, rig } from './rig.ts'

/** A rig, and its calls to D1 since `judge()`. */
async function watchedRig(options: RigOptions = {}): Promise<Rig & ReturnType<typeof faulty>> {
  const faults = faulty(env.DB)
  return { ...(await rig({ ...options, wrap: () => fromD1(faults.d1) })), ...faults }
}

it('a batch is delivered, settled and acknowledged; messages carry ids and no payload', async () => {
  const { addEndpoint, policy, publish, rows, sent } = await rig()
  const hook = await addEndpoint()
  const ids = await publish(12)
  const kept = await rows()
  expect(kept).toMatchObject(ids.map((id) => ({ id, dueAt: null, attempts: 0, moves: 0 })))
  expect(sent.map(({ body }) => body)).toEqual(kept.map(({ id, gen }) => ({ outboxId: id, gen })))

  const batch = batchOf(sent.map(({ body }) => body))
  await consumeBatch(policy, batch)
  expect(fates(batch.messages)).toEqual(ids.map(() => 'ack'))
  const arrivals = await hook.arrivals()
  expect(arrivals.map(({ id }) => id).sort()).toEqual(ids.map((id) => id.slice(0, id.indexOf('.'))))
  expect(arrivals.every(({ verified }) => verified)).toBe(true)
  expect(await rows()).toEqual([])
})

describe('a batch reads from D1', () => {
  it('its rows once, its endpoints once, and settles each group of five', async () => {
    const { addEndpoint, calls, consume, judge, publish } = await watchedRig()
    await addEndpoint()
    await addEndpoint({ status: 500 })
    await publish(10)
    judge()
    await consume()
    expect(calls.filter(({ verbs }) => verbs[0] === 'select')).toHaveLength(2)
    const settles = calls.filter(({ verbs }) => verbs[0] !== 'select')
    expect(settles).toHaveLength(4)
    expect(new Set(settles.flatMap(({ verbs }) => verbs))).toEqual(new Set(['delete', 'update']))
  })

  it('its rows once and nothing else, if there is nothing to send', async () => {
    const { addEndpoint, calls, consume, judge, policy, publish, sent } = await watchedRig()
    const hook = await addEndpoint()
    await publish(5)
    const bodies = sent.map(({ body }) => body)
    await consume()
    judge()
    const again = batchOf(bodies)
    await consumeBatch(policy, again)
    expect(fates(again.messages)).toEqual(Array(5).fill('ack'))
    expect(calls.map(({ verbs }) => verbs)).toEqual([['select']])
    expect(await hook.arrivals()).toHaveLength(5)
  })

  it('nothing, if it names no row', async () => {
    const { calls, judge, policy } = await watchedRig()
    judge()
    await consumeBatch(policy, batchOf([]))
    await consumeBatch(policy, batchOf([null, 'text']))
    expect(calls).toEqual([])
  })
})

describe('at most five requests are in flight', () => {
  it('each further one starts when another has ended', async () => {
    const { addEndpoint, consume, publish, rows } = await rig()
    const hook = await addEndpoint({ status: 'never' })
    await publish(10)
    const consumed = consume()
    for (let answered = 0; answered < 5; answered++) {
      await vi.waitFor(async () => expect(await hook.arrivals()).toHaveLength(5 + answered), PATIENCE)
      expect(await hook.open()).toBe(5)
      await hook.answerOne({ status: 200 })
    }
    await vi.waitFor(async () => expect(await hook.arrivals()).toHaveLength(10), PATIENCE)
    await hook.answer({ status: 200 })
    expect(fates(await consumed)).toEqual(Array(10).fill('ack'))
    expect(await hook.peak()).toBe(5)
    expect(await rows()).toEqual([])
  })

  it('the deadline of the sixth starts with its slot: five stalled requests make none of the other five late', async () => {
    const { addEndpoint, consume, publish, rows } = await rig()
    const stalling = await addEndpoint({ status: 'never' }, { eventTypes: ['first.five'], deadlineMs: 3000 })
    // As long as it waits for its slot: a deadline from the start of the batch would have passed.
    const prompt = await addEndpoint({ status: 200 }, { eventTypes: ['other.five'], deadlineMs: 3000 })
    await publish(5, { type: 'first.five' })
    await publish(5, { type: 'other.five' })
    expect(fates(await consume())).toEqual(Array(10).fill('ack'))
    expect(await prompt.arrivals()).toHaveLength(5)
    expect(await stalling.peak()).toBe(5)
    expect((await rows()).map(({ type, lastError }) => [type, lastError])).toEqual(
      Array.from({ length: 5 }, () => ['first.five', 'timeout: no complete answer within 3000 ms']),
    )
  })
})

describe('a stale message is acknowledged, and nothing is sent', () => {
  it('if its row never existed, or is settled, rescheduled, claimed or held', async () => {
    const { addEndpoint, db, policy, publish, rows } = await rig()
    const hook = await addEndpoint()
    const ids = await publish(5)
    const states = [
      `status = 'failed', completed_at = 1`,
      `status = 'completed', completed_at = 1`,
      `status = 'held', hold_reason = 'endpoint_disabled'`,
      `gen = gen + 1, attempts = 1, due_at = (select ms from keepsend_clock) + 60000`,
      `gen = gen + 1, attempts = 1, claimed_at = 1, due_at = (select ms from keepsend_clock) + 60000`,
    ]
    for (const [n, state] of states.entries()) {
      await db.run({ sql: `update pending_events set ${state} where id = ?`, params: [ids[n] ?? ''] })
    }
    const before = await rows()
    const nobody = [`${newEventId()}.${hook.endpointId}`, newEventId()].map((outboxId) => ({ outboxId, gen: 0 }))
    const batch = batchOf([...messagesFor(before), ...nobody])
    await consumeBatch(policy, batch)
    expect(fates(batch.messages)).toEqual(Array(7).fill('ack'))
    expect(await rows()).toEqual(before)
    expect(await hook.arrivals()).toEqual([])
  })

  it('if its row was deleted and the same event published again', async () => {
    const { addEndpoint, db, engine, now, policy, rows, sent } = await rig()
    const hook = await addEndpoint()
    const event = { id: newEventId(), type: 'message.created', workspaceId: 'w', data: {} }
    const publishOnce = async (): Promise<void> => {
      const work: Promise<void>[] = []
      await engine.commit({ writes: [], events: [event], background: (one) => void work.push(one) })
      await Promise.all(work)
    }
    await publishOnce()
    const [earlier] = await rows()
    await db.run({ sql: 'delete from pending_events', params: [] })
    await vi.waitFor(async () => expect(await now()).toBeGreaterThan(earlier?.createdAt ?? Infinity), PATIENCE)
    await publishOnce()
    const [stale, fresh] = sent.map(({ body }) => body)
    const before = await rows()
    expect(before).toMatchObject([{ id: earlier?.id, attempts: 0, moves: 0 }])
    for (const attempts of [1, 2]) {
      const batch = batchOf([stale], { attempts })
      await consumeBatch(policy, batch)
      expect(fates(batch.messages)).toEqual(['ack'])
    }
    expect(await rows()).toEqual(before)
    expect(await hook.arrivals()).toEqual([])

    await consumeBatch(policy, batchOf([fresh]))
    expect(await hook.arrivals()).toMatchObject([{ id: event.id }])
    expect(await rows()).toEqual([])
  })

  it('if it is the second of a row in one batch: one request, both acknowledged', async () => {
    const { addEndpoint, policy, publish, rows } = await rig()
    const hook = await addEndpoint()
    await publish(3)
    const messages = messagesFor(await rows())
    const batch = batchOf([...messages, ...messages])
    await consumeBatch(policy, batch)
    expect(fates(batch.messages)).toEqual(Array(6).fill('ack'))
    expect(await hook.arrivals()).toHaveLength(3)
    expect(await rows()).toEqual([])
  })

  it('if a newer one of its row is in the same batch, in either order', async () => {
    const { addEndpoint, db, policy, publish, rows } = await rig()
    const hook = await addEndpoint()
    await publish(2)
    await db.run({ sql: 'update pending_events set gen = gen + 1, attempts = 1, due_at = 1', params: [] })
    const [older, newer] = [messagesFor(await rows(), 0), messagesFor(await rows(), 1)]
    const batch = batchOf([older[0], newer[0], newer[1], older[1]])
    await consumeBatch(policy, batch)
    expect(fates(batch.messages)).toEqual(Array(4).fill('ack'))
    expect(await hook.arrivals()).toHaveLength(2)
    expect(await rows()).toEqual([])
  })
})

describe('a message that anybody may have put into the queue', () => {
  const cyclic: Record<string, unknown> = {}
  cyclic['itself'] = cyclic

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'evt_1.ep_1'],
    ['a number', 5],
    ['a big integer', 5n],
    ['a list', [{ outboxId: 'x', gen: 0 }]],
    ['an empty object', {}],
    ['an object that holds itself', cyclic],
    ['an id that is no text', { outboxId: 5, gen: 0 }],
    ['an id without a generation', { outboxId: 'x' }],
    ['a generation that is no whole number', { outboxId: 'x', gen: 1.5 }],
    ['a generation beyond all numbers', { outboxId: 'x', gen: Infinity }],
    ['a type without a workspace', { type: 'message.created' }],
  ])('%s is logged and acknowledged, and the message beside it is delivered', async (_name, body) => {
    const { addEndpoint, log, policy, publish, rows, sent } = await rig()
    const hook = await addEndpoint()
    await publish(1)
    const batch = batchOf([body, sent[0]?.body, body])
    await consumeBatch(policy, batch)
    expect(fates(batch.messages)).toEqual(['ack', 'ack', 'ack'])
    expect(log.filter(({ level }) => level === 'error')).toHaveLength(2)
    expect(await hook.arrivals()).toHaveLength(1)
    expect(await rows()).toEqual([])
  })

  it.each<[string, unknown]>([
    ['a text that is no id', { outboxId: '', gen: 0 }],
    ['SQL', { outboxId: `'; drop table pending_events; --`, gen: 0 }],
    ['a NUL and half a character', { outboxId: '\0\ud800', gen: 0 }],
    ['a generation below zero', { outboxId: newEventId(), gen: -1 }],
    ['as much as a message holds', { outboxId: 'x'.repeat(127_000), gen: 0 }],
  ])('%s that names no row is acknowledged, and the message beside it is delivered', async (_name, body) => {
    const { addEndpoint, policy, publish, rows, sent } = await rig()
    const hook = await addEndpoint()
    await publish(1)
    const batch = batchOf([body, sent[0]?.body])
    await consumeBatch(policy, batch)
    expect(fates(batch.messages)).toEqual(['ack', 'ack'])
    expect(await hook.arrivals()).toHaveLength(1)
    expect(await rows()).toEqual([])
  })

  it('a batch of the largest messages delays no delivery', async () => {
    const { addEndpoint, policy, publish, rows, sent } = await rig({ policy: { maxBatchSize: 100 } })
    const hook = await addEndpoint()
    await publish(1)
    const large = Array.from({ length: 99 }, (_, n) => ({ outboxId: String(n).padEnd(127_000, 'x'), gen: 0 }))
    const batch = batchOf([...large, sent[0]?.body])
    await consumeBatch(policy, batch)
    expect(fates(batch.messages)).toEqual(Array(100).fill('ack'))
    expect(await hook.arrivals()).toHaveLength(1)
    expect(await rows()).toEqual([])
  })
})

describe('an event without rows', () => {
  it('gets rows under its own id, and their messages; a second copy inserts no second row', async () => {
    const { addEndpoint, consume, policy, rows, sent } = await rig()
    const hook = await addEndpoint()
    const event = { type: 'message.created', workspaceId: 'w', data: { n: 1 }, eventId: newEventId() }
    const batch = batchOf([event, event])
    await consumeBatch(policy, batch)
    expect(fates(batch.messages)).toEqual(['ack', 'ack'])
    const id = `${event.eventId}.${hook.endpointId}`
    const [row] = await rows()
    expect(row).toMatchObject({ id, moves: 0, attempts: 0, dueAt: null })
    expect(await hook.arrivals()).toEqual([])
    expect(sent).toEqual([{ body: { outboxId: id, gen: row?.gen } }])
    await consume()
    expect((await hook.arrivals()).map((arrival) => arrival.id)).toEqual([event.eventId])
    expect(await rows()).toEqual([])
  })

  it('comes back while its rows cannot be inserted, and delays no other message', async () => {
    const { addEndpoint, judge, policy, publish, rows, sent } = await watchedRig()
    const hook = await addEndpoint()
    await publish(1)
    const event = { type: 'message.created', workspaceId: 'w', data: {}, eventId: newEventId() }
    judge(({ verbs }) => (verbs.includes('insert') ? 'refused' : 'well'))
    const batch = batchOf([event, sent[0]?.body])
    await consumeBatch(policy, batch)
    expect(fates(batch.messages)).toEqual([{ retryAfter: 30 }, 'ack'])
    expect(await rows()).toEqual([])
    expect(await hook.arrivals()).toHaveLength(1)
  })

  it('that no endpoint is subscribed to is acknowledged, and stores nothing', async () => {
    const { policy, rows, sent } = await rig()
    const batch = batchOf([{ type: 'message.created', workspaceId: 'nobody', eventId: newEventId() }])
    await consumeBatch(policy, batch)
    expect(fates(batch.messages)).toEqual(['ack'])
    expect([await rows(), sent]).toEqual([[], []])
  })

  it.each<[string, unknown]>([
    ['type', { type: 'no type at all', workspaceId: 'w', eventId: newEventId() }],
    ['id', { type: 't', workspaceId: 'w', eventId: 'evt_1' }],
    ['data', { type: 't', workspaceId: 'w', data: 5, eventId: newEventId() }],
    ['channels', { type: 't', workspaceId: 'w', channels: 5, eventId: newEventId() }],
    ['time', { type: 't', workspaceId: 'w', timestamp: 'some day', eventId: newEventId() }],
  ])('with an invalid %s is logged and dropped, because it would come back a hundred times', async (_name, body) => {
    const { addEndpoint, log, policy, rows } = await rig()
    await addEndpoint()
    const batch = batchOf([body])
    await consumeBatch(policy, batch)
    expect(fates(batch.messages)).toEqual(['ack'])
    expect(log.filter(({ level }) => level === 'error')).toHaveLength(1)
    expect(await rows()).toEqual([])
  })
})

describe('a batch larger than maxBatchSize', () => {
  it('is delivered, with a warning that names both numbers', async () => {
    const { addEndpoint, consume, log, publish, rows } = await rig({ policy: { maxBatchSize: 2 } })
    await addEndpoint()
    await publish(3)
    await consume()
    expect(log.filter(({ level }) => level === 'warn')).toMatchObject([
      { message: expect.stringContaining('max_batch_size'), fields: { messages: 3, maxBatchSize: 2 } },
    ])
    expect(await rows()).toEqual([])
  })

  it('causes no warning at exactly maxBatchSize', async () => {
    const { addEndpoint, consume, log, publish } = await rig({ policy: { maxBatchSize: 3 } })
    await addEndpoint()
    await publish(3)
    await consume()
    expect(log).toEqual([])
  })
})
