import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { consumeBatch, createFetchSender } from '../../src/index.ts'
import { batchOf, fates, rig } from './rig.ts'

const grant = (token: string) => ({
  status: 200,
  body: JSON.stringify({ access_token: token, token_type: 'bearer', expires_in: 3600 }),
})

/** A token server at a path of the receiver: an endpoint of another workspace, which gets no events. */
async function tokenServer({ addEndpoint, engine }: Awaited<ReturnType<typeof rig>>) {
  const hook = await addEndpoint({ ...grant('t1'), next: grant('t2') }, { workspaceId: 'tokens' })
  const { url } = await engine.endpoints.get('tokens', hook.endpointId)
  return { ...hook, auth: { type: 'oauth2', tokenUrl: url, clientId: 'c', clientSecret: 's3cret' } as const }
}

describe('auth of an endpoint in workerd', () => {
  it.each([
    [{ type: 'basic', username: 'test', password: '123£' }, 'Basic dGVzdDoxMjPCow=='],
    [{ type: 'bearer', token: 'abc' }, 'Bearer abc'],
  ] as const)('is sent, and D1 holds nothing of it that can be read: %j', async (auth, header) => {
    const parts = await rig()
    const hook = await parts.addEndpoint({ status: 200 }, { auth })
    await parts.publish(1)
    expect(fates(await parts.consume())).toEqual(['ack'])
    expect(await hook.arrivals()).toMatchObject([{ verified: true, headers: { authorization: header } }])
    const { results } = await env.DB.prepare("select * from keepsend_secrets where scheme = 'auth'").all()
    expect(results).toMatchObject([{ key_id: 'test', sealed: expect.any(String) }])
    expect(JSON.stringify(results)).not.toMatch(/123£|abc"/)
  })

  it('by OAuth 2.0 shares a token between isolates until the receiver refuses it', async () => {
    const parts = await rig()
    const tokens = await tokenServer(parts)
    const hook = await parts.addEndpoint({ status: 200 }, { auth: tokens.auth })
    await parts.publish(3)
    expect(fates(await parts.consume())).toEqual(['ack', 'ack', 'ack'])
    const stored = async () =>
      (await env.DB.prepare("select token from keepsend_secrets where scheme = 'auth'").first())?.['token']
    await expect.poll(stored).toEqual(expect.any(String))
    await parts.publish(1)
    const batch = batchOf(parts.sent.splice(0).map(({ body }) => body))
    await consumeBatch(parts.newIsolate(), batch)
    expect([fates(batch.messages), (await tokens.arrivals()).length]).toEqual([['ack'], 1])

    await hook.answer({ status: 401, next: { status: 200 } })
    await parts.publish(1)
    await parts.consume()
    expect(await parts.rows()).toMatchObject([{ status: 'pending', attempts: 1, lastStatus: 401 }])
    await parts.consume()
    expect(await parts.rows()).toEqual([])
    const arrivals = await hook.arrivals()
    expect(arrivals.map(({ headers }) => headers['authorization'])).toEqual(
      ['t1', 't1', 't1', 't1', 't1', 't2'].map((token) => `Bearer ${token}`),
    )
    const asked = await tokens.arrivals()
    expect(asked.map(({ body, headers }) => [body, headers['authorization']])).toEqual(
      [1, 2].map(() => ['grant_type=client_credentials', `Basic ${btoa('c:s3cret')}`]),
    )
  })

  it('by OAuth 2.0 without a token fails the attempt with class auth', async () => {
    const parts = await rig()
    const tokens = await tokenServer(parts)
    await tokens.answer({ status: 400, body: '{"error":"invalid_scope"}' })
    const hook = await parts.addEndpoint({ status: 200 }, { auth: tokens.auth })
    await parts.publish(1)
    await parts.consume()
    expect(await parts.rows()).toMatchObject([
      { attempts: 1, lastError: 'auth: the token server answered with status 400: invalid_scope', lastStatus: null },
    ])
    expect(await hook.arrivals()).toEqual([])
  })
})

describe('tls of an endpoint in workerd', () => {
  const ca = `-----BEGIN CERTIFICATE-----\n${btoa('0\u0003abc')}\n-----END CERTIFICATE-----\n`

  it('is refused by name when it is set', async () => {
    const { addEndpoint, engine } = await rig()
    const { endpointId } = await addEndpoint()
    const refused = {
      code: 'invalid_endpoint',
      message: expect.stringMatching(/^tls is not supported here: .*Workers/),
    }
    await expect(engine.endpoints.create('w', { url: 'https://example.com/', tls: { ca } })).rejects.toMatchObject(
      refused,
    )
    await expect(engine.endpoints.update('w', endpointId, { tls: { ca } })).rejects.toMatchObject(refused)
  })

  it('is refused by the sender itself, which sends nothing', async () => {
    const request = { url: 'https://example.com/', headers: {}, body: '', deadlineMs: 1000, maxResponseBytes: 10 }
    expect(await createFetchSender().send({ ...request, tls: { ca } })).toMatchObject({ kind: 'error', reason: 'tls' })
  })
})
