// D1 fails: before a call takes effect, after it, for one row, or permanently. Committed rows are delivered all the same, nothing
// is written twice, and the consumer never rejects.
import { env } from 'cloudflare:workers'
import { type WebhookEvent, commitWithEvents, keepsend } from '@keepsend/engine'
import { fromD1 } from '@keepsend/outbox/d1'
import { Hono } from 'hono'
import { describe, expect, it, vi } from 'vitest'
import { consumeBatch, createFetchSender, sweep } from '../../src/index.ts'
import { type Fate, type FaultyD1, faulty } from './faulty.ts'
import {
  type HeldMessage,
  type Hook,
  LOST_MS,
  PATIENCE,
  type Rig,
  type RigOptions,
  batchOf,
  eventIdFrom,
  fates,
  rig,
} from './rig.ts'

type Parts = Rig & FaultyD1

async function newRig(options: RigOptions = {}): Promise<Parts> {
  const faults = faulty(env.DB)
  return { ...(await rig({ ...options, wrap: () => fromD1(faults.d1) })), ...faults }
}

/** The nth call that contains the verb fails like this, all others succeed. */
function only(fate: Fate, verb: string, nth = 1): Parameters<FaultyD1['judge']>[0] {
  let seen = 0
  return ({ verbs }) => (verbs.includes(verb) && ++seen === nth ? fate : 'well')
}

const newEvent = (): WebhookEvent & { id: string } => ({
  id: eventIdFrom(LOST_MS),
  type: 'message.created',
  workspaceId: 'w',
  data: {},
})

/** A healthy isolate does the rest: messages are redelivered, and the cron runs. */
async function recover({ lapse, newIsolate, rows, sent }: Rig, messages: readonly HeldMessage[] = []): Promise<void> {
  const policy = newIsolate()
  const again = messages.filter(({ fate }) => fate !== 'ack').map(({ body }) => body)
  await consumeBatch(policy, batchOf(again, { attempts: 2 }))
  for (let tick = 0; tick < 20 && (await rows()).some(({ status }) => status === 'pending'); tick++) {
    await lapse()
    await sweep(policy)
    await consumeBatch(policy, batchOf(sent.splice(0).map(({ body }) => body)))
  }
}

/** How often each event arrived, in the order of their ids. */
async function arrivalsOf(hook: Hook): Promise<number[]> {
  const arrivals = await hook.arrivals()
  expect(arrivals.every(({ verified }) => verified)).toBe(true)
  const counts = new Map<string, number>()
  for (const { id } of arrivals) counts.set(id, (counts.get(id) ?? 0) + 1)
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, count]) => count)
}

describe('a publish whose commit succeeds and whose response is lost', () => {
  it('fails with commit_unconfirmed; a repeat inserts no second row, and it is swept and delivered once', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint()
    const event = newEvent()
    parts.judge(only('answer lost', 'insert'))
    const commit = (): Promise<unknown> => parts.engine.commit({ writes: [], events: [event] })
    await expect(commit()).rejects.toMatchObject({ code: 'commit_unconfirmed' })
    expect(await parts.rows()).toMatchObject([{ moves: 0, dueAt: null }])
    await commit()
    expect(await parts.rows()).toHaveLength(1)
    expect(parts.sent).toEqual([])
    await recover(parts)
    expect(await arrivalsOf(hook)).toEqual([1])
    expect(await parts.rows()).toEqual([])
  })

  it('is answered from its idempotency record, and so is its repeat', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint()
    const app = new Hono().use(keepsend(parts.engine)).post('/things', (c) =>
      commitWithEvents(c, {
        writes: [],
        events: [newEvent()],
        response: { status: 201, body: { made: true } },
      }),
    )
    const post = async (): Promise<Response> =>
      app.request('/things', { method: 'POST', headers: { 'idempotency-key': 'k1' }, body: '{}' })
    // The mark of the request is inserted first, then its transaction.
    parts.judge(({ verbs }) => (verbs.includes('insert') && verbs.length > 1 ? 'answer lost' : 'well'))
    for (const response of [await post(), await post()]) {
      expect([response.status, await response.json()]).toEqual([201, { made: true }])
    }
    expect(parts.calls.map(({ fate }) => fate)).toContain('answer lost')
    expect(await parts.rows()).toHaveLength(1)
    parts.judge()
    await recover(parts)
    expect(await arrivalsOf(hook)).toEqual([1])
  })

  it.each(['answer lost', 'refused'] as const)(
    'of an event sent after its change (%s): it travels without rows, gets them once, and is delivered once',
    async (fate) => {
      const parts = await newRig()
      const hook = await parts.addEndpoint()
      const dispatched: Promise<void>[] = []
      parts.judge(only(fate, 'insert'))
      const sent = await parts.engine.publish(newEvent(), (work) => void dispatched.push(work))
      await Promise.all(dispatched)
      expect(sent).toMatchObject({ accepted: false })
      expect(parts.sent).toHaveLength(1)
      expect(fates(await parts.consume())).toEqual(['ack'])
      expect(await parts.rows()).toHaveLength(1)
      await recover(parts)
      expect(await arrivalsOf(hook)).toEqual([1])
      expect(await parts.rows()).toEqual([])
    },
  )
})

describe('a settle that succeeds and whose response is lost', () => {
  it('sends nothing again: the retry finds the rows gone, and the messages are acknowledged', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint()
    await parts.publish(7)
    parts.judge(only('answer lost', 'delete'))
    expect(fates(await parts.consume())).toEqual(Array(7).fill('ack'))
    expect(parts.calls.map(({ fate }) => fate)).toContain('answer lost')
    expect(await arrivalsOf(hook)).toEqual(Array(7).fill(1))
    expect(await parts.rows()).toEqual([])
  })

  it('counts a failed attempt once, and the row waits for the sweep under its new gen', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint({ status: 500 })
    await parts.publish(2)
    parts.judge(only('answer lost', 'update'))
    expect(fates(await parts.consume())).toEqual(['ack', 'ack'])
    const settled = { status: 'pending', attempts: 1, moves: 1 }
    expect(await parts.rows()).toMatchObject([settled, settled])
    await hook.answer({ status: 200 })
    await recover(parts)
    expect(await arrivalsOf(hook)).toEqual([2, 2])
    expect(await parts.rows()).toEqual([])
  })

  it('disables an endpoint once after a 410', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint({ status: 410 })
    await parts.publish(1)
    const { version } = await parts.engine.endpoints.get('w', hook.endpointId)
    parts.judge(only('answer lost', 'update'))
    await parts.consume()
    expect(await parts.rows()).toMatchObject([{ status: 'failed', attempts: 1 }])
    const endpoint = await parts.engine.endpoints.get('w', hook.endpointId)
    expect(endpoint).toMatchObject({ status: 'disabled', version: version + 1 })
  })
})

describe('a claim that succeeds and whose response is lost', () => {
  it('sends nothing; the messages come back stale, and the sweep dispatches the rows without counting an attempt', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint()
    await parts.publish(3)
    parts.judge(only('answer lost', 'update'))
    const messages = await parts.consume({ attempts: 2 })
    expect(fates(messages)).toEqual(Array.from({ length: 3 }, () => ({ retryAfter: 30 })))
    expect(await hook.arrivals()).toEqual([])
    parts.judge()
    const again = batchOf(
      messages.map(({ body }) => body),
      { attempts: 3 },
    )
    await consumeBatch(parts.policy, again)
    expect(fates(again.messages)).toEqual(Array(3).fill('ack'))
    expect(await hook.arrivals()).toEqual([])
    await parts.lapse()
    await sweep(parts.policy)
    expect((await parts.rows()).map(({ attempts, crashes }) => [attempts, crashes])).toEqual(
      Array.from({ length: 3 }, () => [0, 1]),
    )
    await parts.consume()
    expect(await arrivalsOf(hook)).toEqual([1, 1, 1])
    expect(await parts.rows()).toEqual([])
  })
})

describe('a sweep that succeeds and whose response is lost', () => {
  it('rejects, and a later tick dispatches the rows: each is delivered once', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint()
    await parts.publish(3, { agoMs: LOST_MS })
    parts.sent.length = 0
    parts.judge(only('answer lost', 'update'))
    await expect(sweep(parts.policy)).rejects.toMatchObject({ errors: [{ code: 'commit_unconfirmed' }] })
    expect(parts.sent).toEqual([])
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 0 })
    await recover(parts)
    expect(await arrivalsOf(hook)).toEqual([1, 1, 1])
    expect(await parts.rows()).toEqual([])
  })
})

describe('while D1 does not answer at all', () => {
  it('from the start: nothing is sent, and the messages come back later', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint()
    await parts.publish(4)
    parts.judge(() => 'refused')
    const messages = await parts.consume()
    expect(fates(messages)).toEqual(Array.from({ length: 4 }, () => ({ retryAfter: 30 })))
    expect(await hook.arrivals()).toEqual([])
    expect(parts.log).toMatchObject([{ level: 'error', fields: { messages: 4, code: 'not_accepted' } }])
    parts.judge()
    await recover(parts, messages)
    expect(await arrivalsOf(hook)).toEqual([1, 1, 1, 1])
    expect(await parts.rows()).toEqual([])
  })

  it('from the first settle on: the messages come back, every delivery is repeated and none lost', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint()
    await parts.publish(7)
    parts.judge(({ verbs }) => (verbs.includes('delete') ? 'refused' : 'well'))
    const messages = await parts.consume()
    expect(fates(messages)).toEqual(Array.from({ length: 7 }, () => ({ retryAfter: 30 })))
    const logged = { message: 'failed to record outcomes; their deliveries will be repeated' }
    expect(parts.log.filter(({ level }) => level === 'error')).toMatchObject([
      { ...logged, fields: { outcomes: 5, code: 'not_accepted' } },
      { ...logged, fields: { outcomes: 2, code: 'not_accepted' } },
    ])
    parts.judge()
    expect((await parts.rows()).map(({ attempts, moves }) => [attempts, moves])).toEqual(
      Array.from({ length: 7 }, () => [0, 0]),
    )
    await recover(parts, messages)
    expect(await arrivalsOf(hook)).toEqual(Array(7).fill(2))
    expect(await parts.rows()).toEqual([])
  })

  it('while a row waits in its batch: a row that cannot be read again is not sent, and comes back', async () => {
    const parts = await newRig()
    const stalling = await parts.addEndpoint({ status: 'never' })
    await parts.publish(6)
    const consumed = parts.consume()
    await vi.waitFor(async () => expect(await stalling.open()).toBe(5), PATIENCE)
    const read = performance.now()
    parts.judge(({ verbs }) => (verbs.includes('select') ? 'refused' : 'well'))
    await vi.waitFor(() => expect(performance.now() - read).toBeGreaterThan(1000), PATIENCE)
    await stalling.answer({ status: 200 })
    const messages = await consumed
    expect(fates(messages)).toEqual([...Array(5).fill('ack'), { retryAfter: 30 }])
    expect(await stalling.arrivals()).toHaveLength(5)
    await recover(parts, messages)
    expect(await arrivalsOf(stalling)).toEqual([1, 1, 1, 1, 1, 1])
  })
})

describe('while D1 cannot return the endpoint of a delivery', () => {
  it('nothing is sent and no attempt counts, not even the last', async () => {
    const faults = faulty(env.DB)
    const { addEndpoint, consume, publish, rows } = await rig({ wrap: () => fromD1(faults.d1) })
    const hook = await addEndpoint({ status: 200 }, { retrySchedule: [] })
    await publish(1)
    let selects = 0
    faults.judge(({ verbs }) => (verbs.includes('select') && ++selects === 2 ? 'refused' : 'well'))
    await consume()
    expect(await rows()).toMatchObject([{ status: 'pending', attempts: 0, deferrals: 1 }])
    expect(await hook.arrivals()).toHaveLength(0)
    faults.judge()
    await consume()
    expect(await hook.arrivals()).toHaveLength(1)
    expect(await rows()).toEqual([])
  })
})

describe('one poison message in a batch causes no second copy of others', () => {
  it('if the database refuses its settle: it comes back alone', async () => {
    const parts = await newRig()
    const healthy = await parts.addEndpoint({ status: 200 }, { eventTypes: ['message.created'] })
    const failing = await parts.addEndpoint({ status: 500 }, { eventTypes: ['message.created'] })
    const poisoned = await parts.addEndpoint({ status: 500 }, { eventTypes: ['poison.taken'] })
    await parts.publish(2)
    await parts.publish(1, { type: 'poison.taken' })
    await parts.publish(3)
    await parts.db.run({
      sql: `create trigger refusing before update on pending_events
        when new.event_type = 'poison.taken' and new.last_error is not null
        begin select raise(abort, 'not this row'); end`,
      params: [],
    })
    const [poison] = (await parts.rows()).filter(({ type }) => type === 'poison.taken')
    const messages = await parts.consume()
    const back = messages.filter(({ fate }) => fate !== 'ack')
    expect(back).toMatchObject([{ body: { outboxId: poison?.id }, fate: { retryAfter: 30 } }])
    expect(await arrivalsOf(healthy)).toEqual(Array(5).fill(1))
    expect(parts.sent).toHaveLength(5)

    await parts.db.run({ sql: 'drop trigger refusing', params: [] })
    await Promise.all([failing, poisoned].map((hook) => hook.answer({ status: 200 })))
    await recover(parts, messages)
    expect(await parts.rows()).toEqual([])
    expect(await arrivalsOf(healthy)).toEqual(Array(5).fill(1))
    expect(await arrivalsOf(failing)).toEqual(Array(5).fill(2))
    expect(await arrivalsOf(poisoned)).toEqual([2])
  })

  it('if its secret cannot sign: its attempt counts, and it is rescheduled', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint({ status: 200 }, { eventTypes: ['message.created'] })
    const poisoned = await parts.addEndpoint({ status: 200 }, { eventTypes: ['poison.taken'] })
    await parts.publish(3)
    await parts.publish(1, { type: 'poison.taken' })
    await parts.publish(3)
    const sql = `update keepsend_secrets set secret = 'whsec_?', key_id = null where endpoint_id = ?`
    await parts.db.run({ sql, params: [poisoned.endpointId] })
    expect(fates(await parts.consume())).toEqual(Array(7).fill('ack'))
    expect(await arrivalsOf(hook)).toEqual(Array(6).fill(1))
    expect(await poisoned.arrivals()).toEqual([])
    expect(await parts.rows()).toMatchObject([{ type: 'poison.taken', status: 'pending', attempts: 1 }])
  })

  it('if its sender throws: its attempt counts, and it is rescheduled', async () => {
    const sender = createFetchSender()
    const parts = await newRig({
      engine: {
        sender: {
          send(request) {
            if (request.body.includes('"poison.taken"')) throw new Error('broken')
            return sender.send(request)
          },
        },
      },
    })
    const hook = await parts.addEndpoint()
    await parts.publish(3)
    await parts.publish(1, { type: 'poison.taken' })
    await parts.publish(3)
    expect(fates(await parts.consume())).toEqual(Array(7).fill('ack'))
    expect(await arrivalsOf(hook)).toEqual(Array(6).fill(1))
    const [row] = await parts.rows()
    expect(row).toMatchObject({
      type: 'poison.taken',
      attempts: 1,
      moves: 1,
      lastError: expect.stringMatching(/^internal_error: /),
    })
    expect(parts.sent).toMatchObject([{ body: { outboxId: row?.id, gen: row?.gen } }])
  })
})

/** Runs it once without failures, then for each of its calls in each way of failing. */
async function atEveryCall(
  run: (judge: Parameters<FaultyD1['judge']>[0]) => Promise<number>,
  allFates: readonly Fate[] = ['refused', 'answer lost', 'dies'],
): Promise<number> {
  const calls = await run(() => 'well')
  for (const fate of allFates) {
    for (let nth = 0; nth < calls; nth++) await run(({ index }) => (index === nth ? fate : 'well'))
  }
  return calls
}

describe('whichever single call to D1 fails, in whichever way', () => {
  it.each([1, 2])(
    'a batch in its delivery %i: never a rejection, no row lost, none settled twice, no third copy (trap 11)',
    async (attempts) => {
      const calls = await atEveryCall(async (decide) => {
        const parts = await newRig()
        const healthy = await parts.addEndpoint({ status: 200 }, { eventTypes: ['well'] })
        const failing = await parts.addEndpoint({ status: 500 }, { eventTypes: ['ill'] })
        await parts.publish(5, { type: 'well', agoMs: LOST_MS })
        await parts.publish(2, { type: 'ill', agoMs: LOST_MS })
        const batch = batchOf(
          parts.sent.splice(0).map(({ body }) => body),
          { attempts },
        )
        parts.judge(decide)
        const died = await Promise.race([consumeBatch(parts.policy, batch), parts.died().then(() => 'died')])
        const made = parts.calls.length
        expect(died !== 'died' && fates(batch.messages).includes(undefined)).toBe(false)
        // Each failed attempt was counted at most once.
        for (const row of await parts.rows()) expect(row.attempts).toBeLessThanOrEqual(1)

        await failing.answer({ status: 200 })
        await recover(parts, batch.messages)
        expect(await parts.rows()).toEqual([])
        const [well, ill] = [await arrivalsOf(healthy), await arrivalsOf(failing)]
        expect([well.length, ill.length]).toEqual([5, 2])
        expect(Math.max(...well)).toBeLessThanOrEqual(2)
        expect(Math.max(...ill)).toBeLessThanOrEqual(3)
        return made
      })
      expect(calls).toBeGreaterThanOrEqual(4)
    },
  )

  it('of a sweep, every row is delivered once', async () => {
    const calls = await atEveryCall(async (decide) => {
      const parts = await newRig()
      const hook = await parts.addEndpoint()
      await parts.publish(3, { agoMs: LOST_MS })
      parts.sent.length = 0
      parts.judge(decide)
      const swept = sweep(parts.policy).then(
        () => undefined,
        (error: unknown) => error,
      )
      const error = await Promise.race([swept, parts.died()])
      expect(error === undefined || error instanceof AggregateError).toBe(true)
      const made = parts.calls.length
      await recover(parts)
      expect(await parts.rows()).toEqual([])
      expect(await arrivalsOf(hook)).toEqual([1, 1, 1])
      return made
    })
    expect(calls).toBeGreaterThanOrEqual(6)
  })

  it('of a publish, all rows or none are inserted, and delivered once', async () => {
    await atEveryCall(async (decide) => {
      const parts = await newRig()
      const hooks = [await parts.addEndpoint(), await parts.addEndpoint()]
      parts.judge(decide)
      const events = [newEvent(), newEvent()]
      await Promise.race([parts.engine.commit({ writes: [], events }).catch(() => {}), parts.died()])
      const made = parts.calls.length
      const kept = await parts.rows()
      expect([0, 4]).toContain(kept.length)
      await recover(parts)
      for (const hook of hooks) expect(await arrivalsOf(hook)).toEqual(kept.length === 0 ? [] : [1, 1])
      return made
    })
  })
})
