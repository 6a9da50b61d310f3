import { describe, expect, it } from 'vitest'
import { moves } from './rig.ts'
import { api, problem, read } from './routes.ts'

describe('events', () => {
  it('are stored, one or many, and answered with their ids', async () => {
    const { call, addEndpoint, rows } = await api()
    await addEndpoint()
    const one = await read(call('POST', '/events', { type: 'a', data: { n: 1 } }))
    expect(one).toEqual({ status: 202, body: { object: 'event', id: expect.stringMatching(/^evt_/), type: 'a' } })
    const many = await read(
      call('POST', '/events', [
        { type: 'b', data: {}, timestamp: '2026-11-23T12:00:00Z' },
        { type: 'c', data: {} },
      ]),
    )
    expect(many).toMatchObject({ status: 202, body: [{ type: 'b' }, { type: 'c' }] })
    const named = { object: 'event', type: 'd', data: {} }
    const list = await read(
      call('POST', '/events', { object: 'list', data: [named, { type: 'e', data: { object: 'x' } }] }),
    )
    expect(list).toMatchObject({
      status: 202,
      body: { object: 'list', data: [{ object: 'event', type: 'd' }, { type: 'e' }] },
    })
    expect((await rows()).map(({ type }) => type).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      'a',
      'b',
      'c',
      'd',
      'e',
    ])
  })

  it('that are refused in a list are named by their index', async () => {
    const { call } = await api()
    const list = { object: 'list', data: [{ data: {} }, { data: {} }, { type: 'a', data: 5 }] }
    const { body } = await read(call('POST', '/events', list))
    expect(body['detail']).toMatch(/^data\[0\]\.type: .*; data\[1\]\.type: .*; data\[2\]\.data: /)
  })

  it('are published 1 to 100 in a request, all or none', async () => {
    const { call, addEndpoint, count } = await api()
    await addEndpoint()
    const events = (length: number) => Array.from({ length }, () => ({ type: 'a', data: {} }))
    expect(await read(call('POST', '/events', []))).toMatchObject(problem(400, 'invalid_request'))
    expect(await read(call('POST', '/events', events(101)))).toMatchObject(problem(400, 'invalid_request'))
    expect(await read(call('POST', '/events', { object: 'list', data: events(101) }))).toMatchObject(
      problem(400, 'invalid_request'),
    )
    expect(await read(call('POST', '/events', [...events(9), { type: 'no good', data: {} }]))).toMatchObject(
      problem(422, 'invalid_event'),
    )
    expect(await count('pending_events')).toBe(0)
    expect((await call('POST', '/events', events(100))).status).toBe(202)
    expect(await count('pending_events')).toBe(100)
  })

  it.each([
    [{ type: 'keepsend.x', data: {} }, 422, 'invalid_event'],
    [{ type: 'a', data: {}, id: 'evt_1' }, 422, 'invalid_event'],
    [{ type: 'a', data: {}, channels: ['*'] }, 422, 'invalid_event'],
    [{ type: 'a', data: { text: 'x'.repeat(262_144) } }, 413, 'payload_too_large'],
    [{ type: 'a', data: [] }, 400, 'invalid_request'],
    [{ type: 'a' }, 400, 'invalid_request'],
    [{ data: {} }, 400, 'invalid_request'],
    [{ type: 1, data: {} }, 400, 'invalid_request'],
    [{ type: 'a', data: {}, timestamp: 'today' }, 400, 'invalid_request'],
    [{ type: 'a', data: {}, workspaceId: 'w2' }, 400, 'invalid_request'],
  ])('%j is %i %s', async (event, status, code) => {
    const { call, addEndpoint, count } = await api()
    await addEndpoint()
    expect(await read(call('POST', '/events', event))).toMatchObject(problem(status, code))
    expect(await count('pending_events')).toBe(0)
  })

  it.each(['2026-11-23T12:00:00Z', '2026-11-23T12:00:00.5Z', '2026-11-23T12:00:00+00:00', '2026-11-23T14:00:00+02:00'])(
    'may have any time of RFC 3339, sent as it was given: %s',
    async (timestamp) => {
      const { call, addEndpoint, work, sender } = await api()
      await addEndpoint()
      expect((await call('POST', '/events', { type: 'a', data: {}, timestamp })).status).toBe(202)
      await work()
      expect(JSON.parse(sender.requests[0]?.body ?? '{}')).toMatchObject({ timestamp })
    },
  )

  it('that are refused name the field', async () => {
    const { call } = await api()
    const { body } = await read(call('POST', '/events', { type: 'a.b' }))
    expect(body['detail']).toBe('data: an event has either data or raw')
  })

  it('can be read while a delivery of theirs is retained, with the payload as it is sent', async () => {
    const { call, addEndpoint, work } = await api()
    const endpoint = await addEndpoint()
    const { body } = await read(
      call('POST', '/events', { type: 'a', data: { n: 1 }, timestamp: '2026-11-23T12:00:00Z' }),
    )
    expect(await read(call('GET', `/events/${String(body['id'])}`))).toMatchObject({
      status: 200,
      body: {
        id: body['id'],
        type: 'a',
        payload: { type: 'a', timestamp: '2026-11-23T12:00:00Z', data: { n: 1 } },
        deliveries: [{ endpointId: endpoint.id, status: 'pending' }],
      },
    })
    await work()
    expect(await read(call('GET', `/events/${String(body['id'])}`))).toMatchObject(problem(404, 'not_retained'))
  })
})

describe('endpoints', () => {
  it('are created, read, changed, disabled, enabled and deleted', async () => {
    const { call } = await api()
    const made = await read(
      call('POST', '/endpoints', {
        url: 'https://hooks.example.com/',
        eventTypes: ['a.*'],
        channels: ['c'],
        retrySchedule: [1],
        deadlineMs: 5000,
      }),
    )
    expect(made).toMatchObject({
      status: 201,
      body: { secret: expect.stringMatching(/^whsec_/), status: 'enabled', version: 1 },
    })
    const path = `/endpoints/${String(made.body['id'])}`
    const { secret: _, ...shown } = made.body
    expect(await read(call('GET', path))).toEqual({ status: 200, body: shown })
    const changed = { ...shown, description: 'mine', version: 2, updatedAt: expect.any(String) }
    expect(await read(call('PATCH', path, { description: 'mine' }))).toEqual({ status: 200, body: changed })
    const { body: reset } = await read(call('PATCH', path, { retrySchedule: null, deadlineMs: null, channels: [] }))
    expect(reset).toMatchObject({
      retrySchedule: null,
      deadlineMs: null,
      channels: [],
      eventTypes: ['a.*'],
      description: 'mine',
    })
    expect((await read(call('POST', `${path}/disable`))).body).toMatchObject({
      status: 'disabled',
      disabledReason: 'manual',
    })
    expect((await read(call('POST', `${path}/enable`))).body).toMatchObject({ status: 'enabled', disabledReason: null })
    expect((await call('DELETE', path)).status).toBe(204)
    expect(await read(call('GET', path))).toMatchObject(problem(404, 'not_found'))
  })

  it.each([
    [{ url: 'http://example.com/' }],
    [{ url: 'https://10.0.0.1/' }],
    [{ url: 'nothing' }],
    [{ eventTypes: [] }],
    [{ eventTypes: ['*.a'] }],
    [{ eventTypes: Array(51).fill('a') }],
    [{ channels: Array(11).fill('a') }],
    [{ channels: ['a b'] }],
    [{ retrySchedule: [0] }],
    [{ retrySchedule: Array(21).fill(1) }],
    [{ retrySchedule: [86_401] }],
    [{ deadlineMs: 999 }],
    [{ deadlineMs: 30_001 }],
    [{ description: 'x'.repeat(501) }],
  ])('%j is 422 at creation and at a change', async (parts) => {
    const { call, addEndpoint, count } = await api()
    const { id } = await addEndpoint()
    expect(await read(call('POST', '/endpoints', { url: 'https://hooks.example.com/', ...parts }))).toMatchObject(
      problem(422, 'invalid_endpoint'),
    )
    expect(await read(call('PATCH', `/endpoints/${id}`, parts))).toMatchObject(problem(422, 'invalid_endpoint'))
    expect(await count('keepsend_endpoints')).toBe(1)
  })

  it('have their own headers, whose values are never shown, and statuses that are retried', async () => {
    const { call } = await api()
    const made = await read(
      call('POST', '/endpoints', {
        url: 'https://hooks.example.com/',
        headers: { Authorization: 'Bearer s3cret' },
        retryStatuses: [404],
      }),
    )
    expect(made.body).toMatchObject({ headerNames: ['authorization'], retryStatuses: [404] })
    const { id } = made.body as { id: string }
    const got = await read(call('GET', `/endpoints/${id}`))
    const unchanged = await read(call('PATCH', `/endpoints/${id}`, { description: 'd' }))
    const changed = await read(call('PATCH', `/endpoints/${id}`, { headers: { 'X-A': '1' }, retryStatuses: [] }))
    expect([got, unchanged, changed].map(({ body }) => (body as { headerNames: string[] }).headerNames)).toEqual([
      ['authorization'],
      ['authorization'],
      ['x-a'],
    ])
    expect(JSON.stringify([made, got, unchanged, changed])).not.toContain('s3cret')
    for (const wrong of [{ headers: { Host: 'x' } }, { retryStatuses: [410] }, { retryStatuses: [500] }]) {
      expect(await read(call('PATCH', `/endpoints/${id}`, wrong))).toMatchObject({ status: 422 })
    }
  })

  it('accept an existing secret at creation only, and a wrong one is not quoted', async () => {
    const { call, addEndpoint } = await api()
    const secret = `whsec_${btoa('x'.repeat(24))}`
    expect((await read(call('POST', '/endpoints', { url: 'https://a.example.com/', secret }))).body).toMatchObject({
      secret,
    })
    const wrong = await read(call('POST', '/endpoints', { url: 'https://a.example.com/', secret: 'hunter2' }))
    expect(wrong).toMatchObject(problem(422, 'invalid_endpoint'))
    expect(JSON.stringify(wrong)).not.toContain('hunter2')
    const { id } = await addEndpoint()
    expect((await call('PATCH', `/endpoints/${id}`, { secret })).status).toBe(400)
  })

  it('show their secrets on their own route, newest first; rotation leaves the old one active for a while', async () => {
    const { call, addEndpoint } = await api()
    const { id, secret: old } = await addEndpoint()
    for (const path of ['/endpoints', `/endpoints/${id}`])
      expect(await (await call('GET', path)).text()).not.toContain('whsec_')
    const { body: fresh } = await read(call('POST', `/endpoints/${id}/rotate-secret`, { overlapMs: 60_000 }))
    expect(fresh).toMatchObject({ version: 2, expiresAt: null })
    const { body } = await read(call('GET', `/endpoints/${id}/secret`))
    expect(body['data']).toMatchObject([
      { secret: fresh['secret'], expiresAt: null },
      { secret: old, expiresAt: expect.any(String) },
    ])
    await call('POST', `/endpoints/${id}/rotate-secret`, { overlapMs: 0 })
    expect((await read(call('GET', `/endpoints/${id}/secret`))).body['data']).toHaveLength(1)
    for (const overlapMs of [-1, 604_800_001]) {
      expect(await read(call('POST', `/endpoints/${id}/rotate-secret`, { overlapMs }))).toMatchObject(
        problem(422, 'invalid_endpoint'),
      )
    }
  })

  it('get a test event, subscribed or not, retried by their own schedule', async () => {
    const { call, addEndpoint, rows } = await api()
    const { id } = await addEndpoint({ eventTypes: ['other'], retrySchedule: [1, 2] })
    const { status, body } = await read(call('POST', `/endpoints/${id}/test`))
    expect([status, await rows()]).toMatchObject([
      202,
      [{ id: `${String(body['eventId'])}.${id}`, type: 'test', maxAttempts: 3 }],
    ])
  })
})

describe('deliveries', () => {
  it('are replayed once they are settled: 409 before, 202 and pending after', async () => {
    const { call, addEndpoint, engine, work, messages, rows } = await api({ answer: () => 400 })
    await addEndpoint()
    const { eventId } = await engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    const { body } = await read(call('GET', `/events/${eventId}`))
    const [{ id }] = body['deliveries'] as [{ id: string }]
    expect(await read(call('POST', `/deliveries/${id}/replay`))).toMatchObject(problem(409, 'conflict'))
    await work()
    expect(await read(call('GET', `/deliveries/${id}`))).toMatchObject({ body: { status: 'failed', lastStatus: 400 } })
    messages.length = 0
    expect(await read(call('POST', `/deliveries/${id}/replay`))).toMatchObject({
      status: 202,
      body: { id, status: 'pending', attempts: 0 },
    })
    const [replayed] = await rows()
    expect(replayed && moves(replayed)).toBe(2)
    expect(messages).toMatchObject([{ outboxId: id, gen: replayed?.gen }])
  })
})
