// The publisher's trace context is stored once, with its event, by each way to publish. On each database.
import { newEventId } from '@keepsend/outbox'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { type QueuedEvent, allWorkspaces, commitWithEvents, insertQueuedEvent, keepsend } from '../src/index.ts'
import { type Rig, rig } from './rig.ts'
import { api, problem, read } from './routes.ts'

const traceparentOf = (traceId: string): string => `00-${traceId}-00f067aa0ba902b7-01`
const [TRACE_ID, OTHER] = ['4bf92f3577b34da6a3ce929d0e0e4736', 'a3ce929d0e0e47364bf92f3577b34da6']
const traceparent = traceparentOf(TRACE_ID)
const EVENT = { type: 'message.created', workspaceId: 'w1', data: { n: 1 }, traceparent }

const contexts = ({ select }: Rig) => select('select trace_parent from keepsend_events order by id, workspace_id')

/** Inserts the rows of a message that has none, as an adapter does. */
const insertQueued = ({ db, engine }: Rig, message: QueuedEvent) =>
  insertQueuedEvent({ db, rowsStart: 'now', recordsEvents: engine.recordsEvents }, message)

/** Each way to publish the event under an id. */
const WAYS: Record<string, (made: Rig, id: string) => Promise<unknown>> = {
  publish: ({ engine }, id) => engine.publish({ ...EVENT, id }),
  commit: ({ engine }, id) => engine.commit({ writes: [], events: [{ ...EVENT, id }] }),
  publishStatements: ({ engine, db }, id) => db.atomic(engine.publishStatements({ ...EVENT, id })),
  async commitWithEvents({ engine }, id) {
    const response = { status: 201, body: {} }
    const app = new Hono()
      .use(keepsend(engine))
      .post('/', (c) => commitWithEvents(c, { writes: [], events: [{ ...EVENT, id }], response }))
    expect((await app.request('/', { method: 'POST' })).status).toBe(201)
  },
  'a message without rows': (made, eventId) => insertQueued(made, { ...EVENT, eventId }),
  async 'a publish whose rows could not be inserted'(made, id) {
    await made.exec('alter table keepsend_subscriptions rename to keepsend_elsewhere')
    expect(await made.engine.publish({ ...EVENT, id })).toMatchObject({ accepted: false })
    await made.exec('alter table keepsend_elsewhere rename to keepsend_subscriptions')
    const [message] = made.messages
    await insertQueued(made, JSON.parse(JSON.stringify(message)) as QueuedEvent)
  },
}

describe.each(Object.entries(WAYS))('the trace context of an event: %s', (_name, publish) => {
  it('is stored with the event, once, and read with it and with its delivery', async () => {
    const made = await rig({ history: true })
    const { id: endpointId } = await made.addEndpoint()
    const id = newEventId()
    await publish(made, id)
    await made.engine.publish({ ...EVENT, id, traceparent: traceparentOf(OTHER) })
    expect(await contexts(made)).toEqual([{ trace_parent: traceparent }])
    const delivery = () => made.engine.deliveries.getWithAttempts('w1', `${id}.${endpointId}`)
    expect(await delivery()).toMatchObject({ status: 'pending', traceId: TRACE_ID })
    await made.work()
    expect(await delivery()).toMatchObject({ status: 'completed', traceId: TRACE_ID, latestAttempts: { rows: [{}] } })
    const event = await made.engine.events.get('w1', id)
    expect(event).toMatchObject({ traceId: TRACE_ID, completed: 1 })
    expect(event).not.toHaveProperty('traceparent')
    expect((await made.engine.events.list('w1', { limit: 10 })).rows).toMatchObject([{ id, traceId: TRACE_ID }])
    expect(JSON.stringify(made.sender.requests)).not.toContain(TRACE_ID)
  })

  it('is stored nowhere without history.events', async () => {
    const made = await rig({ history: { events: false } })
    const { id: endpointId } = await made.addEndpoint()
    const id = newEventId()
    await publish(made, id)
    expect(await made.count('keepsend_events')).toBe(0)
    expect(JSON.stringify(await made.rows())).not.toContain(TRACE_ID)
    const { engine } = made
    expect(await engine.events.get('w1', id)).toMatchObject({ pending: 1, traceId: null })
    expect((await engine.events.list('w1', { limit: 10 })).rows).toMatchObject([{ id, traceId: null }])
    expect(await engine.deliveries.getWithAttempts('w1', `${id}.${endpointId}`)).toMatchObject({ traceId: null })
  })
})

it('a malformed trace context is refused before anything is written, with the index of its event', async () => {
  const made = await rig({ history: true })
  const events = [EVENT, { ...EVENT, traceparent: traceparent.toUpperCase() }]
  const refused = {
    code: 'invalid_event',
    message: expect.stringMatching(/^events\[1\]: traceparent must be 00-.*; found /) as string,
  }
  await expect(made.engine.commit({ writes: [], events })).rejects.toMatchObject(refused)
  expect(await made.count('keepsend_events')).toBe(0)
})

it('two workspaces that publish under one id have their own, also in reads across all of them', async () => {
  const made = await rig({ history: true, answer: () => 500 })
  const id = newEventId()
  const deliveries: string[] = []
  for (const [workspaceId, traceId] of [
    ['w1', TRACE_ID],
    ['w2', OTHER],
  ] as const) {
    deliveries.push(`${id}.${(await made.addEndpoint({ workspaceId })).id}`)
    await made.engine.publish({ ...EVENT, workspaceId, id, traceparent: traceparentOf(traceId) })
  }
  const traceIds = async () =>
    Promise.all(
      deliveries.map(async (one) => (await made.engine.deliveries.getWithAttempts(allWorkspaces, one)).traceId),
    )
  expect(await traceIds()).toEqual([TRACE_ID, OTHER])
  await made.work()
  expect(await traceIds()).toEqual([TRACE_ID, OTHER])
  // Without its row, a delivery is of the workspace of its attempts.
  await made.exec(`update keepsend_attempts set outcome = 'delivered'`)
  await made.exec('delete from pending_events')
  expect(await traceIds()).toEqual([TRACE_ID, OTHER])
  const { rows } = await made.engine.events.list(allWorkspaces, { limit: 10, traceId: OTHER })
  expect(rows).toMatchObject([{ id, workspaceId: 'w2', traceId: OTHER }])
})

describe('a list of the events of one trace', () => {
  it('has pages that join, with and without a type', async () => {
    const made = await rig({ history: true })
    const traced: { id: string; type: string }[] = []
    for (let n = 0; n < 12; n++) {
      const own = [{}, { traceparent: traceparentOf(OTHER) }, { traceparent: undefined }][n % 3]
      const event = { ...EVENT, type: n % 2 === 0 ? 'a.b' : 'c.d', id: newEventId(), ...own }
      await made.engine.publish(event)
      if (event.traceparent === traceparent) traced.push(event)
    }
    const newestFirst = (events: typeof traced): string[] =>
      events
        .map(({ id }) => id)
        .sort()
        .reverse()
    for (const [filter, expected] of [
      [{}, newestFirst(traced)],
      [{ type: 'a.b' }, newestFirst(traced.filter(({ type }) => type === 'a.b'))],
    ] as const) {
      expect(expected.length).toBeGreaterThan(1)
      const seen: string[] = []
      let before: string | undefined
      do {
        const page = await made.engine.events.list('w1', { ...filter, traceId: TRACE_ID, limit: 1, before })
        seen.push(...page.rows.map(({ id }) => id))
        before = page.next
      } while (before !== undefined)
      expect(seen).toEqual(expected)
    }
    for (const traceId of [TRACE_ID.toUpperCase(), TRACE_ID.slice(1), '', traceparent])
      expect((await made.engine.events.list('w1', { limit: 10, traceId })).rows).toEqual([])
  })

  it('is not retained without history.events', async () => {
    const { engine, call } = await api({ history: { events: false } })
    await expect(engine.events.list('w1', { limit: 10, traceId: TRACE_ID })).rejects.toMatchObject({
      code: 'not_retained',
    })
    expect(await read(call('GET', `/events?traceId=${TRACE_ID}`))).toEqual(problem(404, 'not_retained'))
  })
})

describe('the traceparent of a request', () => {
  async function served() {
    const made = await api({ history: true, answer: () => 400 })
    const { id: endpointId } = await made.addEndpoint()
    const post = async (header: Record<string, string>, count = 1) => {
      const one = { type: 'message.created', data: {} }
      const response = await made.engine.routes.request('/events', {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${made.keys.w1}`, ...header },
        body: JSON.stringify(count === 1 ? one : { object: 'list', data: Array.from({ length: count }, () => one) }),
      })
      expect(response.status).toBe(202)
    }
    return { ...made, endpointId, post }
  }

  it('is that of all its events, and shown with them and their deliveries', async () => {
    const made = await served()
    await made.post({ traceparent }, 2)
    const { body } = await read(made.call('GET', `/events?traceId=${TRACE_ID}`))
    expect(body).toMatchObject({ data: [{ traceId: TRACE_ID }, { traceId: TRACE_ID }] })
    const [{ id } = { id: '' }] = body['data'] as { id: string }[]
    expect(await read(made.call('GET', `/events/${id}`))).toMatchObject({ status: 200, body: { traceId: TRACE_ID } })
    const delivery = () => read(made.call('GET', `/deliveries/${id}.${made.endpointId}`))
    expect(await delivery()).toMatchObject({ body: { status: 'pending', traceId: TRACE_ID } })
    await made.work()
    expect(await delivery()).toMatchObject({ body: { status: 'failed', traceId: TRACE_ID } })
    expect(await read(made.call('GET', `/events?traceId=${OTHER}`))).toMatchObject({ body: { data: [] } })
  })

  it.each<[string, Record<string, string>]>([
    ['absent', {}],
    ['empty', { traceparent: '' }],
    ['in upper case', { traceparent: traceparent.toUpperCase() }],
    ['of zeros', { traceparent: traceparentOf('0'.repeat(32)) }],
    ['given twice', { traceparent: `${traceparent}, ${traceparent}` }],
    ['10,000 characters', { traceparent: 'x'.repeat(10_000) }],
  ])('is ignored if it is malformed: %s', async (_name, header) => {
    const made = await served()
    await made.post(header)
    expect(await contexts(made)).toEqual([{ trace_parent: null }])
    expect(await read(made.call('GET', '/events'))).toMatchObject({ body: { data: [{ traceId: null }] } })
  })

  it('is no property of an event in the body', async () => {
    const { call } = await served()
    const body = { type: 'message.created', data: {}, traceparent }
    expect(await read(call('POST', '/events', body))).toEqual(problem(400, 'invalid_request'))
  })
})
