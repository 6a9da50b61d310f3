// The recorded response shows nothing of its request, and is cut to its bounds. On each database.
import { describe, expect, it } from 'vitest'
import type { Attempt, EndpointInput, EngineOptions, SendRequest } from '../src/index.ts'
import { type Answer, rig } from './rig.ts'

/** The recorded attempt at an endpoint, and all that is stored of it, as JSON. */
async function recorded(
  answer: (request: SendRequest) => Answer,
  { history = true, ...parts }: Partial<EndpointInput> & Pick<EngineOptions, 'history'> = {},
): Promise<{ attempt: Attempt; stored: string }> {
  const { engine, addEndpoint, work } = await rig({ history, answer })
  await addEndpoint(parts)
  await engine.publish({ type: 'message.created', workspaceId: 'w1', data: {} })
  await work()
  const { rows } = await engine.attempts.list('w1', { limit: 10 })
  const [attempt] = rows
  if (!attempt) throw new Error('no attempt was recorded')
  const problems = await engine.problems.list('w1', { limit: 10 })
  const delivery = await engine.deliveries.getWithAttempts('w1', attempt.deliveryId)
  return { attempt, stored: JSON.stringify([attempt, problems, delivery]) }
}

/** An error page that shows the request. */
const echo =
  (status: number, headers: Record<string, string> = {}) =>
  ({ url, headers: sent }: SendRequest): Answer => ({
    status,
    headers: { 'x-url': url, ...headers },
    body: JSON.stringify({ url, sent }),
  })

describe('a recorded response shows', () => {
  it('no header of an endpoint, however it is escaped', async () => {
    const { attempt, stored } = await recorded(echo(500), { headers: { 'x-own': 'Super"Secret\\Value/1' } })
    expect(attempt.error).toContain('HTTP 500: {')
    expect(attempt.body).toContain('"x-own":"…"')
    for (const part of ['Super', 'Value']) expect(stored).not.toContain(part)
  })

  it('nothing of the query of the URL', async () => {
    const url = 'https://hooks.example.com/in?token=Query%20Secret&v=2'
    for (const status of [301, 404]) {
      const { attempt, stored } = await recorded(echo(status, { location: 'https://x.example/?t=Query+Secret' }), {
        url,
      })
      expect(attempt.headers).toMatchObject({
        'x-url': 'https://hooks.example.com/in?…',
        location: 'https://x.example/?t=…',
      })
      expect(stored).not.toMatch(/Query.{1,3}Secret/)
    }
  })

  it('no password in plain text', async () => {
    const auth = { type: 'basic', username: 'keepsend', password: 'PassWord3' } as const
    const { attempt } = await recorded(() => ({ status: 401, body: 'keepsend:PassWord3 or PassWord3' }), { auth })
    expect(attempt).toMatchObject({ error: 'HTTP 401: … or …', body: '… or …' })
  })

  it('no signature of its request', async () => {
    const compatSignature = { header: 'x-hub-signature', format: 'sha256' } as const
    const sent: string[] = []
    const { stored } = await recorded(
      (request) => {
        sent.push(request.headers['webhook-signature'] ?? '', request.headers['x-hub-signature'] ?? '')
        return { status: 500, body: `${JSON.stringify(request.headers)} ${sent.map((one) => one.slice(3)).join(' ')}` }
      },
      { compatSignature },
    )
    expect(sent.map(({ length }) => length > 40)).toEqual([true, true])
    for (const one of sent) expect(stored).not.toContain(one.slice(10, 30))
  })

  it('no header that is named after a credential', async () => {
    const secret = [
      'set-cookie',
      'x-access-key',
      'x_api_key',
      'x-apikey',
      'x-private-key',
      'x-signing-key',
      'x-amz-security-credential',
      'x-csrf',
      'x-xsrf',
      'x-jwt',
      'x-passwd',
      'x-pwd',
      'x-bearer',
      'www-authenticate',
    ]
    const plain = ['keep-alive', 'etag', 'x-request-id', 'x-monkey', 'server']
    const headers = Object.fromEntries([...secret, ...plain].map((name) => [name, 'seen']))
    const { attempt } = await recorded(() => ({ status: 500, headers }))
    expect(attempt.headers).toEqual(
      Object.fromEntries([...secret.map((name) => [name, '[redacted]']), ...plain.map((name) => [name, 'seen'])]),
    )
  })

  it('nothing of a success that disables the endpoint, unless all responses are recorded', async () => {
    const auth = { type: 'bearer', token: 'Token5555' } as const
    const answer = echo(200, { 'webhook-delivery': 'disable', 'x-echo': 'Token5555' })
    const failed = await recorded(answer, { auth })
    expect(failed.attempt).toMatchObject({ outcome: 'delivered', headers: null, body: null })
    const all = await recorded(answer, { auth, history: { responses: 'all' } })
    expect(all.attempt).toMatchObject({ outcome: 'delivered', headers: { 'x-echo': '…' } })
    for (const { stored } of [failed, all]) expect(stored).not.toContain('Token5555')
  })
})

describe('a recorded response is cut', () => {
  it('to bytes at a character, with and without headers of the endpoint', async () => {
    for (const headers of [{}, { 'x-own': 'own-value-1' }]) {
      const { attempt } = await recorded(() => ({ status: 500, body: '漢'.repeat(2000) }), { headers })
      expect(attempt.body).toBe('漢'.repeat(341))
    }
    const bytes = {
      kind: 'response',
      status: 500,
      header: () => undefined,
      body: new Uint8Array(2000).fill(255),
    } as const
    expect((await recorded(() => bytes)).attempt.body).toBe('\ufffd'.repeat(341))
  })

  it('by the headers that are too long, and by no others', async () => {
    const headers = { 'x-first': 'h'.repeat(5000), 'x-second': 'seen', 'x-third': 'h'.repeat(4090), 'x-last': 'seen' }
    const { attempt } = await recorded(() => ({ status: 500, headers }))
    expect(attempt.headers).toEqual({ 'x-second': 'seen', 'x-last': 'seen' })
  })
})
