import type { Engine } from '@keepsend/engine'
import { describe, expect, it } from 'vitest'
import { postgresRig } from './postgres-rig.ts'
import { startReceiver } from './receiver.ts'
import { LOOPBACK, PATIENCE_MS, rig, until } from './rig.ts'
import { MUTUAL, PEM, client, startTlsReceiver } from './tls-receiver.ts'
import { startTokenServer } from './token-server.ts'

const event = { type: 'a.b', workspaceId: 'w', data: {} }

/** Publishes an event for each, sequentially, and waits for its request. */
async function sendTo(engine: Engine, receiver: Awaited<ReturnType<typeof startReceiver>>, count = 1): Promise<void> {
  for (let sent = 0; sent < count; sent++) {
    const before = receiver.requests.length
    await engine.publish(event)
    await receiver.arrived(before + 1)
  }
}

describe.each([
  ['SQLite', () => rig()],
  ['Postgres', () => postgresRig()],
] as const)('auth of an endpoint, on %s', { timeout: PATIENCE_MS }, (_, start) => {
  it('reaches its receiver together with a valid signature', async () => {
    const receiver = await startReceiver()
    const { engine, queue, addEndpoint } = await start()
    await queue.start(engine)
    const { id, secret } = await addEndpoint(receiver.url, { auth: { type: 'basic', username: 'ä', password: 'b:c' } })
    await sendTo(engine, receiver)
    await engine.endpoints.update('w', id, { auth: { type: 'bearer', token: 'abc' } })
    await sendTo(engine, receiver)
    expect(receiver.requests.map(({ headers }) => headers.authorization)).toEqual([
      `Basic ${Buffer.from('ä:b:c').toString('base64')}`,
      'Bearer abc',
    ])
    receiver.verifyAll(secret)
  })

  it('by OAuth 2.0 gets one token from its token server, and another when the receiver refuses it', async () => {
    const tokens = await startTokenServer()
    let revoked = ''
    const receiver = await startReceiver((request) => {
      request.answer(request.headers.authorization === `Bearer ${revoked}` ? 401 : 200)
    })
    const { engine, queue, addEndpoint, rows } = await start()
    await queue.start(engine)
    await addEndpoint(receiver.url, { auth: tokens.auth, retrySchedule: [1, 1, 1] })
    await sendTo(engine, receiver, 3)
    revoked = 't1'
    await sendTo(engine, receiver)
    await receiver.arrived(5)
    expect(receiver.requests.map(({ headers }) => headers.authorization)).toEqual(
      ['t1', 't1', 't1', 't1', 't2'].map((token) => `Bearer ${token}`),
    )
    expect(tokens.requests.map(({ path, body }) => [path, body])).toEqual([
      ['/token', 'grant_type=client_credentials'],
      ['/token', 'grant_type=client_credentials'],
    ])
    await expect.poll(async () => rows()).toEqual([])
  })

  it('by OAuth 2.0 requests one token for many concurrent deliveries', async () => {
    const tokens = await startTokenServer()
    const receiver = await startReceiver()
    const { engine, queue, addEndpoint, publish } = await start()
    await addEndpoint(receiver.url, { auth: tokens.auth })
    await publish(50)
    await queue.start(engine)
    await receiver.arrived(50)
    expect(tokens.requests).toHaveLength(1)
  })
})

describe('a token server', { timeout: PATIENCE_MS }, () => {
  type Respond = NonNullable<Parameters<typeof startTokenServer>[0]>
  const json = (value: unknown) => JSON.stringify(value)

  it.each<[string, Respond, string]>([
    [
      'a wrong secret',
      (request) => request.answer(401, json({ error: 'invalid_client' })),
      'status 401: invalid_client',
    ],
    [
      'a redirect',
      (request) => request.answer(302, '', { location: 'http://127.0.0.1/' }),
      'redirects are not followed',
    ],
    ['a page', (request) => request.answer(200, '<html>'), 'the token server answered without a JSON object'],
    [
      'a flood',
      (request) => request.answer(200, json({ access_token: 'a', pad: 'x'.repeat(1e6) })),
      'without a JSON object',
    ],
    [
      'a header in the token',
      (request) => request.answer(200, json({ access_token: 'a\r\nx: y' })),
      'no header can carry',
    ],
    ['silence', () => undefined, 'timeout: no complete answer within 1000 ms'],
    ['no connection', () => undefined, 'ECONNREFUSED'],
  ])('without a token fails the attempt as auth, and nothing is sent: %s', async (name, respond, error) => {
    const tokens = await startTokenServer(respond)
    if (name === 'no connection') await new Promise((resolve) => void tokens.server.close(resolve))
    const receiver = await startReceiver()
    const { engine, queue, addEndpoint, rows } = await rig({ engine: { deadlineMs: 1000, maxDeadlineMs: 1000 } })
    await queue.start(engine)
    const { id } = await addEndpoint(receiver.url, { auth: tokens.auth })
    await engine.publish(event)
    await until(() => rows()[0]?.lastError !== null)
    expect(rows()).toMatchObject([{ attempts: 1, lastError: expect.stringMatching(/^auth: the /), lastStatus: null }])
    expect(rows()[0]?.lastError).toContain(error)
    expect(rows()[0]?.lastError).not.toContain('s3cret')
    expect(receiver.requests).toEqual([])
    expect((await engine.endpoints.get('w', id)).failingSince).toEqual(expect.any(Number))
  })

  it('at a blocked address is not connected to, even if its name was allowed when the endpoint was created', async () => {
    const tokens = await startTokenServer()
    const receiver = await startReceiver()
    // The name is allowed for the endpoint, and its address is denied.
    const urlPolicy = { ...LOOPBACK, allowHosts: ['localhost'], denyHosts: ['127.0.0.1/32', '[::1]'] }
    const { engine, queue, addEndpoint, rows } = await rig({ sender: { urlPolicy } })
    await queue.start(engine)
    const tokenUrl = tokens.auth.tokenUrl.replace('127.0.0.1', 'localhost')
    await addEndpoint(receiver.url.replace('127.0.0.1', 'localhost'), { auth: { ...tokens.auth, tokenUrl } })
    await engine.publish(event)
    await until(() => rows()[0]?.lastError !== null)
    expect(rows()).toMatchObject([
      { lastError: 'auth: the token request failed: blocked_address: address not allowed' },
    ])
    expect([tokens.requests, receiver.requests]).toEqual([[], []])
  })

  it('that is slow leaves the receiver only the rest of the deadline', async () => {
    const tokens = await startTokenServer((request) => {
      setTimeout(() => request.answer(200, json({ access_token: 'late' })), 600)
    })
    const receiver = await startReceiver(() => undefined)
    const { engine, queue, addEndpoint, rows } = await rig({ engine: { deadlineMs: 1500, maxDeadlineMs: 1500 } })
    await queue.start(engine)
    await addEndpoint(receiver.url, { auth: tokens.auth })
    const began = performance.now()
    await engine.publish(event)
    await until(() => rows()[0]?.lastError !== null)
    expect(receiver.requests).toHaveLength(1)
    const leftMs = Number(/within (\d+) ms/.exec(rows()[0]?.lastError ?? '')?.[1])
    expect(leftMs).toBeLessThanOrEqual(900)
    expect(performance.now() - began).toBeGreaterThan(1400)
  })
})

describe('tls of an endpoint', { timeout: PATIENCE_MS }, () => {
  it('reaches its receiver: two endpoints of one host, each with its own certificate', async () => {
    const receiver = await startTlsReceiver(MUTUAL)
    const { engine, queue, addEndpoint, publish, rows } = await rig()
    await queue.start(engine)
    const one = await addEndpoint(`${receiver.url}one`, { tls: client('one') })
    await addEndpoint(`${receiver.url}two`, { tls: client('two') })
    await publish(20)
    await until(() => receiver.requests.length === 40)
    for (const { path, by } of receiver.requests) expect(path).toBe(`/${by}`)
    await engine.endpoints.update('w', one.id, { tls: client('two') })
    await publish(1)
    await until(() => receiver.requests.length === 42)
    expect(receiver.requests.slice(40).map(({ by }) => by)).toEqual(['two', 'two'])
    await until(() => rows().length === 0)
  })

  it('applies to the token server too', async () => {
    const receiver = await startTlsReceiver(MUTUAL)
    const { engine, queue, addEndpoint, rows } = await rig()
    await queue.start(engine)
    // It answers without a token: only its requests are checked.
    const auth = { type: 'oauth2', tokenUrl: `${receiver.url}token`, clientId: 'c', clientSecret: 's' } as const
    await addEndpoint(receiver.url, { tls: client('one'), auth })
    await engine.publish(event)
    await until(() => rows()[0]?.lastError !== null)
    expect(receiver.requests).toMatchObject([{ path: '/token', by: 'one' }])
  })

  it('with a key of another certificate fails with a plain sentence', async () => {
    const receiver = await startTlsReceiver()
    const { engine, queue, addEndpoint, rows } = await rig()
    await queue.start(engine)
    await addEndpoint(receiver.url, { tls: { cert: client('one').cert, key: client('two').key, ca: PEM.ca } })
    await engine.publish(event)
    await until(() => rows()[0]?.lastError !== null)
    expect(rows()).toMatchObject([{ attempts: 1, lastError: 'tls: the key is not that of the certificate' }])
    expect(receiver.connections()).toBe(0)
  })
})
