// Tests that a process sends itself: in every state of an endpoint, with no effect but the attempt.
import { describe, expect, it } from 'vitest'
import { type Answer, rig, signal, verify } from './rig.ts'
import { api, problem, read } from './routes.ts'

const TABLES = ['pending_events', 'keepsend_endpoints', 'keepsend_problems', 'keepsend_events', 'keepsend_payloads']

/** A rig, and everything that a test must not change. */
async function world(options: Parameters<typeof rig>[0] = {}) {
  const made = await rig({ history: true, ...options })
  const left = async () =>
    JSON.stringify(await Promise.all(TABLES.map((table) => made.select(`select * from ${table} order by 1`))))
  return { ...made, left }
}

describe('a test', () => {
  it('sends the payload that it was given, signed and marked, and returns its attempt', async () => {
    const answer = { status: 200, headers: { 'x-served-by': 'a' }, body: 'thanks' }
    const { engine, addEndpoint, sender, left, select } = await world({ answer: () => answer })
    const { id, secret } = await addEndpoint({ eventTypes: ['other'], headers: { 'x-own': '1' }, deadlineMs: 4000 })
    const before = await left()
    const sent = await engine.sendTest('w1', id, { type: 'order.paid', data: { id: 'o1' } })
    expect(sent).toMatchObject({
      endpointId: id,
      type: 'order.paid',
      reason: 'test',
      number: 1,
      outcome: 'delivered',
      httpStatus: 200,
      errorClass: null,
      error: null,
      url: 'https://hooks.example.com/',
      headers: { 'x-served-by': 'a' },
      body: 'thanks',
    })
    const [request] = sender.requests
    verify(request, secret)
    expect(JSON.parse(request?.body ?? '')).toMatchObject({ type: 'order.paid', data: { id: 'o1' } })
    expect(request).toMatchObject({
      headers: { 'webhook-test': 'true', 'x-own': '1', 'webhook-id': sent.deliveryId.split('.')[0] },
      deadlineMs: 4000,
    })
    expect(await left()).toBe(before)
    // Of a success the response is shown, and by default not stored.
    expect(
      await select('select reason, outcome, event_type, workspace_id, headers, body from keepsend_attempts'),
    ).toEqual([
      { reason: 'test', outcome: 'delivered', event_type: 'order.paid', workspace_id: 'w1', headers: null, body: null },
    ])
    await engine.sendTest('w1', id)
    expect(JSON.parse(sender.requests[1]?.body ?? '')).toMatchObject({ type: 'test', data: { endpointId: id } })
  })

  it.each<[string, string]>([
    ['is disabled', `status = 'disabled', disabled_reason = 'gone', disabled_at = 1`],
    ['is paused', `paused_until = (select ms + 60000 from keepsend_clock)`],
    ['has an open circuit', `circuit = 'open', failing_since = 1, failures_in_row = 10`],
  ])('is sent to an endpoint that %s, which stays as it is', async (_, set) => {
    for (const status of [200, 500, 410, 429]) {
      const { engine, addEndpoint, exec, left, sender } = await world({ answer: () => status })
      const { id } = await addEndpoint()
      await exec(`update keepsend_endpoints set ${set}`)
      const before = await left()
      const outcome = status === 200 ? 'delivered' : 'failed'
      expect(await engine.sendTest('w1', id)).toMatchObject({ outcome, httpStatus: status })
      expect(sender.requests).toHaveLength(1)
      expect(await left(), String(status)).toBe(before)
    }
  })

  it.each<[string, Answer, object]>([
    [
      'a 503',
      { status: 503, body: 'down' },
      { httpStatus: 503, errorClass: 'http_5xx', error: 'HTTP 503: down', body: 'down' },
    ],
    ['a 410', 410, { httpStatus: 410, errorClass: 'http_4xx' }],
    ['a wish to be disabled', { status: 400, headers: { 'webhook-delivery': 'disable' } }, { httpStatus: 400 }],
    ['a 429', { status: 429, headers: { 'retry-after': '3600' } }, { httpStatus: 429 }],
    [
      'no connection',
      { kind: 'error', reason: 'connect', message: 'refused' },
      { httpStatus: null, errorClass: 'connect' },
    ],
    ['a time-out', { kind: 'error', reason: 'timeout', message: 'no answer' }, { errorClass: 'timeout' }],
    [
      'a private address',
      { kind: 'error', reason: 'blocked_address', message: 'x' },
      { errorClass: 'blocked_address' },
    ],
  ])('that ends with %s has failed, is not retried, and counts nowhere', async (_, answer, shown) => {
    const { engine, addEndpoint, left, select, work } = await world({ answer: () => answer })
    const { id } = await addEndpoint()
    const before = await left()
    for (let n = 0; n < 11; n++) expect(await engine.sendTest('w1', id)).toMatchObject({ outcome: 'failed', ...shown })
    expect(await left()).toBe(before)
    expect(await work()).toEqual([])
    const rows = await select('select distinct reason, outcome from keepsend_attempts')
    expect(rows).toEqual([{ reason: 'test', outcome: 'failed' }])
    await engine.worker.maintain()
    expect((await engine.problems.list('w1', { limit: 1 })).rows).toEqual([])
    expect(await engine.endpoints.get('w1', id)).toMatchObject({
      circuit: 'closed',
      failingSince: null,
      pausedUntil: null,
    })
  })

  it('is not sent where the URL policy refuses the URL', async () => {
    const { engine, addEndpoint, exec, sender } = await world()
    const { id } = await addEndpoint()
    await exec(`update keepsend_endpoints set url = 'https://10.0.0.1/'`)
    expect(await engine.sendTest('w1', id)).toMatchObject({ outcome: 'failed', errorClass: 'blocked_address', url: '' })
    expect(sender.requests).toEqual([])
  })

  it('shows and records no secret of the request that the receiver repeats', async () => {
    const answer = ({ headers }: { headers: Record<string, string> }) => ({
      status: 400,
      body: JSON.stringify(headers),
    })
    const { engine, addEndpoint, select } = await world({ answer })
    const { id } = await addEndpoint({ auth: { type: 'bearer', token: 'receivers-token' } })
    expect(JSON.stringify(await engine.sendTest('w1', id))).not.toContain('receivers-token')
    expect(JSON.stringify(await select('select * from keepsend_attempts'))).not.toContain('receivers-token')
  })

  it('takes a slot time of the rate limit, and is refused when there is none', async () => {
    const { engine, addEndpoint, sender } = await world()
    const { id } = await addEndpoint({ rateLimit: 1, ratePeriod: 'hour' })
    await engine.sendTest('w1', id)
    const refused = { code: 'too_many_requests', status: 429, retryAfterSeconds: expect.any(Number) }
    await expect(engine.sendTest('w1', id)).rejects.toMatchObject(refused)
    expect(sender.requests).toHaveLength(1)
  })

  it('is refused while four of its workspace are in flight, not for another workspace', async () => {
    const [begun, ended] = [signal(), signal()]
    let count = 0
    const { engine, addEndpoint } = await world({
      sender: {
        async send() {
          if (++count === 4) begun.resolve()
          if (count <= 4) await ended.promise
          return { kind: 'error', reason: 'network', message: 'down' }
        },
      },
    })
    const { id } = await addEndpoint()
    const other = await addEndpoint({ workspaceId: 'w2' })
    const sent = Array.from({ length: 4 }, () => engine.sendTest('w1', id))
    await begun.promise
    await expect(engine.sendTest('w1', id)).rejects.toMatchObject({ code: 'too_many_requests' })
    expect(await engine.sendTest('w2', other.id)).toMatchObject({ outcome: 'failed' })
    ended.resolve()
    await Promise.all(sent)
    expect(await engine.sendTest('w1', id)).toMatchObject({ outcome: 'failed' })
  })

  it('of a caller that stops waiting is recorded when it ends', async () => {
    const [begun, ended] = [signal(), signal()]
    const made = await world({
      sender: {
        async send() {
          begun.resolve()
          await ended.promise
          return { kind: 'error', reason: 'network', message: 'down' }
        },
      },
    })
    const { id } = await made.addEndpoint()
    const abort = new AbortController()
    const sent = made.engine.sendTest('w1', id, { signal: abort.signal })
    await begun.promise
    abort.abort(new Error('the caller has gone'))
    await expect(sent).rejects.toThrow('the caller has gone')
    expect(await made.count('keepsend_attempts')).toBe(0)
    ended.resolve()
    await expect.poll(() => made.count('keepsend_attempts')).toBe(1)
    await expect(made.engine.sendTest('w1', id, { signal: abort.signal })).rejects.toThrow('the caller has gone')
  })

  it('is answered without history, and when its record is refused', async () => {
    const without = await rig({ answer: () => ({ status: 500, body: 'x' }) })
    const { id } = await without.addEndpoint()
    expect(await without.engine.sendTest('w1', id)).toMatchObject({ outcome: 'failed', body: 'x' })
    expect(await without.count('keepsend_attempts')).toBe(0)
    const { engine, addEndpoint, sender, readOnly, log } = await world()
    const endpoint = await addEndpoint()
    const send = sender.send.bind(sender)
    sender.send = async (request) => {
      await readOnly(true)
      return send(request)
    }
    expect(await engine.sendTest('w1', endpoint.id)).toMatchObject({ outcome: 'delivered' })
    expect(log.entries).toMatchObject([{ level: 'error', message: 'failed to record a test; it was sent' }])
  })

  it('is refused by name for bad input, for an engine without a sender, and for an endpoint that does not exist', async () => {
    const { engine, addEndpoint, sender, left } = await world()
    const { id } = await addEndpoint()
    const before = await left()
    for (const [options, code] of [
      [{ type: 'keepsend.x' }, 'invalid_event'],
      [{ type: 'a b' }, 'invalid_event'],
      [{ data: { text: 'x'.repeat(262_144) } }, 'payload_too_large'],
      [{ payload: {} } as object, 'invalid_option'],
    ] as const)
      await expect(engine.sendTest('w1', id, options), code).rejects.toMatchObject({ code })
    await expect(engine.sendTest('w2', id)).rejects.toMatchObject({ code: 'not_found' })
    expect([sender.requests, await left()]).toEqual([[], before])
    const publisher = await rig({ sender: undefined })
    const own = await publisher.addEndpoint()
    const refused = { code: 'conflict', message: expect.stringContaining('no sender') }
    await expect(publisher.engine.sendTest('w1', own.id)).rejects.toMatchObject(refused)
  })

  it('is in the audit before it is sent, so that a crash leaves its row; without the row it is not sent', async () => {
    const asked: unknown[] = []
    const { engine, addEndpoint, sender, select, readOnly } = await world()
    const { id } = await addEndpoint()
    const send = sender.send.bind(sender)
    sender.send = async (request) => {
      asked.push(...(await select(`select verb, endpoint_id as id from keepsend_audit where verb = 'endpoint.test'`)))
      return send(request)
    }
    await engine.sendTest('w1', id)
    expect(asked).toEqual([{ verb: 'endpoint.test', id }])
    await readOnly(true)
    await expect(engine.sendTest('w1', id)).rejects.toMatchObject({ code: 'not_accepted' })
    await readOnly(false)
    expect(sender.requests).toHaveLength(1)
  })

  it('counts in the statistics as a test alone', async () => {
    const { engine, addEndpoint } = await world({ answer: () => 500 })
    const { id } = await addEndpoint()
    await engine.sendTest('w1', id)
    const { endpoints } = await engine.statistics.summary('w1', { since: Date.now() - 3_600_000, endpointIds: [id] })
    expect(endpoints).toMatchObject([{ delivered: 0, retried: 0, failed: 0, tested: 1 }])
  })
})

describe('POST /endpoints/{id}/test/send', () => {
  it('answers with the attempt and its explanation, which GET /attempts shows too', async () => {
    const { call, addEndpoint } = await api({ history: true, answer: () => ({ status: 401, body: 'who?' }) })
    const { id } = await addEndpoint()
    const sent = await read(call('POST', `/endpoints/${id}/test/send`, { type: 'a.b', data: { n: 1 } }))
    expect(sent).toMatchObject({
      status: 200,
      body: { outcome: 'failed', reason: 'test', httpStatus: 401, body: 'who?', explanation: expect.any(String) },
    })
    const { body } = await read(call('GET', `/attempts?endpointId=${id}`))
    expect(body['data']).toEqual([{ id: expect.stringMatching(/^att_/), ...sent.body }])
  })

  it('sends once under an Idempotency-Key: the repeat gets the same attempt', async () => {
    const { engine, keys, addEndpoint, sender, count } = await api({ history: true })
    const { id } = await addEndpoint()
    const post = () =>
      engine.routes.request(`/endpoints/${id}/test/send`, {
        method: 'POST',
        headers: { authorization: `Bearer ${keys.w1}`, 'content-type': 'application/json', 'idempotency-key': 'k1' },
        body: '{"data":{"text":"\\u0000\\ud800😀"}}',
      })
    const [first, second] = [await post(), await post()]
    expect([first.status, second.headers.get('idempotency-replayed')]).toEqual([200, 'true'])
    expect(await second.text()).toBe(await first.text())
    expect([sender.requests.length, await count('keepsend_attempts')]).toEqual([1, 1])
  })

  it('refuses what is no object of data, and names it', async () => {
    const { call, addEndpoint, sender } = await api()
    const { id } = await addEndpoint()
    for (const wrong of [{ data: [] }, { data: 'x' }, { type: 1 }, { raw: {} }])
      expect(await read(call('POST', `/endpoints/${id}/test/send`, wrong))).toMatchObject(
        problem(400, 'invalid_request'),
      )
    expect(sender.requests).toEqual([])
  })
})
