import { createHmac } from 'node:crypto'
import { verify as verifyLikeGitHub } from '@octokit/webhooks-methods'
import { describe, expect, it } from 'vitest'
import type { EndpointInput, SendRequest } from '../src/index.ts'
import { OVER_HTTP, httpReceiver } from './http-receiver.ts'
import { rig } from './rig.ts'
import { api, problem, read } from './routes.ts'

const event = { type: 'message.created', workspaceId: 'w1', data: { text: 'é🙂' } }
const OLD = 'the-secret-of-the-old-sender'
const HEADER = 'X-Hub-Signature-256'
const sha256 = { header: HEADER, format: 'sha256', secret: OLD } as const
const DAY = 86_400_000

/** Verifies as a receiver of `sha256=` does, with GitHub's own code: returns the secrets under which the request verifies. */
async function verifiedBy(request: Pick<SendRequest, 'body' | 'headers'> | undefined, secrets: readonly string[]) {
  const signature = request?.headers[HEADER.toLowerCase()] ?? ''
  const verified = await Promise.all(secrets.map((secret) => verifyLikeGitHub(secret, request?.body ?? '', signature)))
  return secrets.filter((_, index) => verified[index])
}

/** An engine with one endpoint, and the request of a new event's attempt. */
async function withEndpoint(input: Partial<EndpointInput>) {
  const made = await api()
  const { id } = await made.addEndpoint(input)
  const attempt = async (afterMs?: number) => {
    await made.engine.publish(event)
    await made.work(afterMs === undefined ? {} : { now: Date.now() + afterMs })
    return made.sender.requests.at(-1)
  }
  const patch = (change: object) => read(made.call('PATCH', `/endpoints/${id}`, change))
  return { ...made, id, attempt, patch }
}

describe('a compatibility signature of the form sha256', () => {
  it("verifies with GitHub's own code over HTTP, beside Standard Webhooks, for any body", async () => {
    const { engine, addEndpoint, work } = await rig(OVER_HTTP)
    const receiver = await httpReceiver()
    receiver.verifyWith((await addEndpoint({ url: receiver.url, compatSignature: sha256 })).secret)
    const { type, workspaceId } = event
    await engine.publish(event)
    await engine.publish({ type, workspaceId, raw: { body: '<é/>\r\n', contentType: 'text/xml' } })
    await engine.publish({ type, workspaceId, raw: { body: 'a=1', contentType: 'application/x-www-form-urlencoded' } })
    await work()
    expect(receiver.arrivals).toHaveLength(3)
    for (const arrival of receiver.arrivals) {
      expect(arrival.headers[HEADER.toLowerCase()]).toMatch(/^sha256=[0-9a-f]{64}$/)
      expect(await verifiedBy(arrival, [OLD, `${OLD}x`])).toEqual([OLD])
      expect(await verifiedBy({ ...arrival, body: `${arrival.body}x` }, [OLD])).toEqual([])
    }
  })

  it('uses the older secret during a rotation until it expires, and then the new one', async () => {
    const { engine, id, attempt } = await withEndpoint({ compatSignature: sha256 })
    const rotate = async (overlapMs: number) =>
      (await engine.endpoints.rotateSecret('w1', id, { scheme: 'compat', overlapMs })).secret
    const second = await rotate(DAY)
    expect(await verifiedBy(await attempt(), [OLD, second])).toEqual([OLD])
    const third = await rotate(2 * DAY)
    const all = [OLD, second, third]
    expect(await verifiedBy(await attempt(), all)).toEqual([OLD])
    expect(await verifiedBy(await attempt(1.5 * DAY), all)).toEqual([second])
    expect(await verifiedBy(await attempt(2.5 * DAY), all)).toEqual([third])
    // Without an overlap: a leaked secret stops signing.
    const fourth = await rotate(0)
    expect(await verifiedBy(await attempt(), [...all, fourth])).toEqual([fourth])
  })

  it('can be changed to the other form and back under the same secret; a change without a form leaves it', async () => {
    const { attempt, patch } = await withEndpoint({ compatSignature: sha256 })
    const header = async () => (await attempt())?.headers ?? {}
    expect(await patch({ compatSignature: { header: 'x-other' } })).toMatchObject({
      status: 200,
      body: { compatHeader: 'x-other', compatFormat: 'sha256' },
    })
    expect((await header())['x-other']).toMatch(/^sha256=/)
    await patch({ description: 'changed' })
    expect((await header())['x-other']).toMatch(/^sha256=/)
    expect((await patch({ compatSignature: { header: 'x-other', format: 'timestamped' } })).body).toMatchObject({
      compatFormat: 'timestamped',
    })
    const sent = await attempt()
    const [time, signature] = sent?.headers['x-other']?.split(',') ?? []
    const expected = createHmac('sha256', OLD)
      .update(`${time?.slice(2)}.${sent?.body}`)
      .digest('hex')
    expect(signature).toBe(`v1=${expected}`)
    await patch({ compatSignature: { header: 'x-other', format: 'sha256' } })
    expect((await header())['x-other']).toMatch(/^sha256=/)
    // A removed signature leaves nothing to the next one.
    expect((await patch({ compatSignature: null })).body).toMatchObject({ compatHeader: null })
    expect((await patch({ compatSignature: { header: 'x-other' } })).body).toMatchObject({
      compatFormat: 'timestamped',
    })
  })

  it('has one of two names', async () => {
    const { call, engine } = await api()
    const wrong = { url: 'https://a.example.com/', compatSignature: { header: 'x-a', format: 'sha1' } }
    expect((await read(call('POST', '/endpoints', wrong))).status).toBe(400)
    await expect(engine.endpoints.create('w1', wrong as EndpointInput)).rejects.toMatchObject({
      code: 'invalid_endpoint',
      message: 'compatSignature.format must be timestamped or sha256; found "sha1"',
    })
  })
})

describe('the header for the type of the event', () => {
  it('is sent with each attempt of each event under the configured name, until it is removed', async () => {
    const { attempt, patch, engine, work, sender, id, call } = await withEndpoint({ eventTypeHeader: 'X-Acme-Event' })
    expect((await attempt())?.headers).toMatchObject({ 'x-acme-event': 'message.created' })
    await engine.publishTest('w1', id)
    await work()
    expect(sender.requests.at(-1)?.headers).toMatchObject({ 'x-acme-event': 'test' })
    expect((await read(call('GET', `/endpoints/${id}`))).body).toMatchObject({ eventTypeHeader: 'x-acme-event' })
    await patch({ description: 'changed' })
    expect((await attempt())?.headers).toMatchObject({ 'x-acme-event': 'message.created' })
    expect((await patch({ eventTypeHeader: 'X-Type' })).body).toMatchObject({ eventTypeHeader: 'x-type' })
    expect((await attempt())?.headers).toMatchObject({ 'x-type': 'message.created' })
    expect((await patch({ eventTypeHeader: null })).body).toMatchObject({ eventTypeHeader: null })
    expect(JSON.stringify((await attempt())?.headers)).not.toContain('message.created')
  })

  it('is absent by default', async () => {
    const { attempt, call, id } = await withEndpoint({})
    expect(JSON.stringify((await attempt())?.headers)).not.toContain('message.created')
    expect((await read(call('GET', `/endpoints/${id}`))).body).toMatchObject({ eventTypeHeader: null })
  })

  it.each([
    '',
    'a b',
    'host',
    'Content-Type',
    'webhook-event-type',
    'webhook-id',
    'user-agent',
    'x-forwarded-for',
    'x:y',
  ])('is refused by the name %j, as custom headers are', async (eventTypeHeader) => {
    const { call, count } = await api()
    const refused = await read(call('POST', '/endpoints', { url: 'https://a.example.com/', eventTypeHeader }))
    expect(refused).toMatchObject({
      ...problem(422, 'invalid_endpoint'),
      body: { detail: expect.stringMatching(/^eventTypeHeader: /) },
    })
    expect(await count('keepsend_endpoints')).toBe(0)
  })

  it('is in the answer that is stored under an idempotency key', async () => {
    const { engine, keys } = await api()
    const create = () =>
      read(
        engine.routes.request('/endpoints', {
          method: 'POST',
          headers: { authorization: `Bearer ${keys.w1}`, 'content-type': 'application/json', 'idempotency-key': 'k' },
          body: JSON.stringify({ url: 'https://a.example.com/', compatSignature: sha256, eventTypeHeader: 'x-type' }),
        }),
      )
    const [first, again] = [await create(), await create()]
    expect(first.body).toMatchObject({ compatFormat: 'sha256', eventTypeHeader: 'x-type' })
    expect(again.body).toMatchObject({ id: first.body['id'], compatFormat: 'sha256', eventTypeHeader: 'x-type' })
  })
})

describe('headers of one endpoint', () => {
  const named = {
    headers: { headers: { Authorization: 'v' } },
    compatSignature: { compatSignature: { header: 'AUTHORIZATION' } },
    eventTypeHeader: { eventTypeHeader: 'authorization' },
    auth: { auth: { type: 'bearer', token: 'a-token' } as const },
  }
  const pairs = [
    ['headers', 'compatSignature'],
    ['headers', 'eventTypeHeader'],
    ['compatSignature', 'eventTypeHeader'],
    ['auth', 'headers'],
    ['auth', 'compatSignature'],
    ['auth', 'eventTypeHeader'],
  ] as const
  const eachWay = pairs.flatMap(([one, other]) => [[one, other] as const, [other, one] as const])

  it.each(eachWay)('have different names: %s and then %s', async (one, other) => {
    const { call, count } = await api()
    const url = 'https://a.example.com/'
    const refused = {
      status: 422,
      body: { code: 'invalid_endpoint', detail: expect.stringContaining('found "authorization" twice') },
    }
    expect(await read(call('POST', '/endpoints', { url, ...named[one], ...named[other] }))).toMatchObject(refused)
    expect(await count('keepsend_endpoints')).toBe(0)
    const { body } = await read(call('POST', '/endpoints', { url, ...named[one] }))
    const path = `/endpoints/${String(body['id'])}`
    expect(await read(call('PATCH', path, named[other]))).toMatchObject(refused)
    // One change moves the name from the one to the other.
    const without = {
      headers: { headers: {} },
      compatSignature: { compatSignature: null },
      eventTypeHeader: { eventTypeHeader: null },
      auth: { auth: null },
    }
    expect((await read(call('PATCH', path, { ...without[one], ...named[other] }))).status).toBe(200)
  })

  it.each(pairs)('have different names when %s and %s are set concurrently', async (one, other) => {
    const { addEndpoint, engine } = await rig()
    for (let round = 0; round < 5; round++) {
      const { id } = await addEndpoint()
      const changes = [named[one], named[other]].map((change) => engine.endpoints.update('w1', id, change))
      const settled = await Promise.allSettled(changes)
      expect(settled.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
      expect(settled.find(({ status }) => status === 'rejected')).toMatchObject({
        reason: { code: 'invalid_endpoint', message: expect.stringContaining('twice') },
      })
      const { headerNames, compatHeader, eventTypeHeader, auth } = await engine.endpoints.get('w1', id)
      const names = [...headerNames, compatHeader, eventTypeHeader, auth && 'authorization']
      expect(names.filter((name) => name !== null)).toEqual(['authorization'])
    }
  })

  it('may contain parts of one another’s names', async () => {
    const { addEndpoint, engine, sender, work } = await rig()
    await addEndpoint({
      headers: { 'x-a': 'x-b', 'x-ab': '1', x_c: '2' },
      compatSignature: { header: 'x-b' },
      eventTypeHeader: 'x%c',
    })
    const { id } = await addEndpoint({ headers: { 'x-a': 'x-b', 'x-ab': '1' } })
    await engine.endpoints.update('w1', id, { compatSignature: { header: 'x-' }, eventTypeHeader: 'a' })
    await engine.publish(event)
    await work()
    const sent = sender.requests.map(({ headers }) => headers)
    expect(sent).toHaveLength(2)
    expect(sent).toContainEqual(expect.objectContaining({ 'x-a': 'x-b', 'x%c': 'message.created' }))
    expect(sent).toContainEqual(expect.objectContaining({ 'x-a': 'x-b', a: 'message.created' }))
  })
})
