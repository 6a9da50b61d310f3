import { createHmac, createPublicKey, verify as verifyEd25519 } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { SendRequest } from '../src/index.ts'
import { rig, verify } from './rig.ts'
import { api, problem, read } from './routes.ts'

const event = { type: 'message.created', workspaceId: 'w1', data: {} }
const OLD = 'the-secret-of-the-old-sender'

/** The signatures of a request, by scheme. */
function signatures(request: SendRequest | undefined): [scheme: string, signature: string][] {
  const list = request?.headers['webhook-signature']?.split(' ') ?? []
  return list.map((one) => one.split(',', 2) as [string, string])
}

/** Verifies as a receiver of `v1a` does. */
function verifiesV1a(request: SendRequest | undefined, publicKey: string): boolean {
  const x = Buffer.from(publicKey.slice('whpk_'.length), 'base64').toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  const { 'webhook-id': id, 'webhook-timestamp': time } = request?.headers ?? {}
  const content = Buffer.from(`${id}.${time}.${request?.body}`)
  return signatures(request).some(
    ([scheme, signature]) => scheme === 'v1a' && verifyEd25519(null, content, key, Buffer.from(signature, 'base64')),
  )
}

/** Verifies as a receiver of the older form does. */
function verifiesCompat(request: SendRequest | undefined, header: string, secret: string): boolean {
  const [time = '', ...signed] = request?.headers[header]?.split(',') ?? []
  const expected = createHmac('sha256', secret)
    .update(`${time.slice(2)}.${request?.body}`)
    .digest('hex')
  return signed.includes(`v1=${expected}`)
}

describe('an endpoint', () => {
  it('is signed with v1a alone if configured, and its private key is never shown', async () => {
    const { call, engine, work, sender, select } = await api()
    const made = await read(call('POST', '/endpoints', { url: 'https://a.example.com/', signatures: ['v1a'] }))
    const { id, secret: publicKey } = made.body as { id: string; secret: string }
    expect(made).toMatchObject({
      status: 201,
      body: { signatures: ['v1a'], secret: expect.stringMatching(/^whpk_[\w+/]{43}=$/) },
    })
    await engine.publish(event)
    await work()
    expect(signatures(sender.requests[0]).map(([scheme]) => scheme)).toEqual(['v1a'])
    expect(verifiesV1a(sender.requests[0], publicKey)).toBe(true)
    const [keys, secrets] = [
      await read(call('GET', `/endpoints/${id}/public-key`)),
      await read(call('GET', `/endpoints/${id}/secret`)),
    ]
    expect(keys.body['data']).toMatchObject([{ version: 1, publicKey, expiresAt: null }])
    expect(secrets.body['data']).toMatchObject([{ scheme: 'v1a', version: 1, secret: publicKey }])
    expect(JSON.stringify([made, keys, secrets, await select('select * from keepsend_secrets')])).not.toContain('whsk_')
  })

  it('is signed with both if configured, and each is rotated separately', async () => {
    const { call, addEndpoint, engine, work, sender } = await api()
    const { id, secret } = await addEndpoint({ signatures: ['v1', 'v1a'] })
    const keys = async () => {
      const { body } = await read(call('GET', `/endpoints/${id}/public-key`))
      return (body['data'] as { publicKey: string }[]).map(({ publicKey }) => publicKey)
    }
    const [first = ''] = await keys()
    await read(call('POST', `/endpoints/${id}/rotate-secret`, { scheme: 'v1a' }))
    const [second = '', old] = await keys()
    expect(old).toBe(first)
    await engine.publish(event)
    await work()
    expect(signatures(sender.requests[0]).map(([scheme]) => scheme)).toEqual(['v1', 'v1a', 'v1a'])
    verify(sender.requests[0], secret)
    expect([first, second].map((key) => verifiesV1a(sender.requests[0], key))).toEqual([true, true])
    expect(await engine.endpoints.rotateSecret('w1', id)).toMatchObject({ scheme: 'v1', version: 2 })
  })

  it('accepts an existing v1a key', async () => {
    const { addEndpoint } = await rig()
    // Svix's test vector, whose public key is known.
    const secret = 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=='
    expect(await addEndpoint({ signatures: ['v1a'], secret })).toMatchObject({
      secret: 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=',
    })
  })

  it('that changes its scheme is signed with the new one from then on, with both in between if wanted', async () => {
    const { call, addEndpoint, engine, work, sender, select } = await api()
    const { id, secret } = await addEndpoint()
    const attempt = async () => {
      await engine.publish(event)
      await work()
      return sender.requests.at(-1)
    }
    verify(await attempt(), secret)
    expect(await read(call('PATCH', `/endpoints/${id}`, { signatures: ['v1', 'v1a'] }))).toMatchObject({
      status: 200,
      body: { signatures: ['v1', 'v1a'] },
    })
    const both = await attempt()
    verify(both, secret)
    expect(signatures(both).map(([scheme]) => scheme)).toEqual(['v1', 'v1a'])
    // Other changes leave them alone.
    await call('PATCH', `/endpoints/${id}`, { description: 'x' })
    expect(signatures(await attempt())).toHaveLength(2)
    await call('PATCH', `/endpoints/${id}`, { signatures: ['v1a'] })
    expect(signatures(await attempt()).map(([scheme]) => scheme)).toEqual(['v1a'])
    expect(await select('select scheme from keepsend_secrets where endpoint_id = ?', id)).toEqual([{ scheme: 'v1a' }])
    expect(await read(call('POST', `/endpoints/${id}/rotate-secret`, { scheme: 'v1' }))).toMatchObject(
      problem(422, 'invalid_endpoint'),
    )
  })

  it('has an additional compatibility signature with the secret of the old sender, until it is removed', async () => {
    const { call, addEndpoint, engine, work, sender } = await api()
    const { id, secret } = await addEndpoint({ compatSignature: { header: 'Acme-Signature', secret: OLD } })
    expect(await read(call('GET', `/endpoints/${id}`))).toMatchObject({ body: { compatHeader: 'acme-signature' } })
    const attempt = async () => {
      await engine.publish(event)
      await work()
      return sender.requests.at(-1)
    }
    const first = await attempt()
    verify(first, secret)
    expect(first?.headers['acme-signature']).toMatch(/^t=\d{10},v1=[0-9a-f]{64}$/)
    expect(verifiesCompat(first, 'acme-signature', OLD)).toBe(true)

    const { body } = await read(call('POST', `/endpoints/${id}/rotate-secret`, { scheme: 'compat' }))
    expect(body).toMatchObject({ scheme: 'compat', version: 2 })
    await call('PATCH', `/endpoints/${id}`, { compatSignature: { header: 'x-acme' } })
    const rotated = await attempt()
    for (const text of [OLD, String(body['secret'])]) expect(verifiesCompat(rotated, 'x-acme', text)).toBe(true)
    expect(rotated?.headers['acme-signature']).toBeUndefined()

    await call('PATCH', `/endpoints/${id}`, { compatSignature: null })
    const after = await attempt()
    verify(after, secret)
    expect(Object.keys(after?.headers ?? {}).sort()).toEqual([
      'accept',
      'content-type',
      'user-agent',
      'webhook-id',
      'webhook-signature',
      'webhook-timestamp',
    ])
    expect((await engine.endpoints.secrets('w1', id)).map(({ scheme }) => scheme)).toEqual(['v1'])
  })

  it('gets a new secret for a compatibility signature without one, listed with the secrets', async () => {
    const { addEndpoint, engine, work, sender } = await rig()
    const { id } = await addEndpoint({ compatSignature: { header: 'acme-signature' } })
    const compat = (await engine.endpoints.secrets('w1', id)).find(({ scheme }) => scheme === 'compat')
    await engine.publish(event)
    await work()
    expect(verifiesCompat(sender.requests[0], 'acme-signature', compat?.secret ?? '')).toBe(true)
  })

  it.each([
    { signatures: [] },
    { signatures: ['v1', 'v1'] },
    { signatures: ['v2'] },
    {
      signatures: ['v1'],
      secret: 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==',
    },
    { signatures: ['v1a'], secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' },
    { signatures: ['v1a'], secret: `whsk_${'A'.repeat(85)}g==` },
    { compatSignature: { header: 'webhook-signature' } },
    { compatSignature: { header: 'host' } },
    { compatSignature: { header: 'acme-signature', secret: 'short' } },
    { compatSignature: { header: 'acme-signature', key: OLD } },
    { compatSignature: {} },
  ])('is not made with %j', async (wrong) => {
    const { call, count } = await api()
    const { status } = await read(call('POST', '/endpoints', { url: 'https://a.example.com/', ...wrong }))
    expect([400, 422]).toContain(status)
    expect(await count('keepsend_endpoints')).toBe(0)
  })

  it('refuses another secret for a compatibility signature that has one', async () => {
    const { call, addEndpoint } = await api()
    const { id } = await addEndpoint({ compatSignature: { header: 'acme-signature', secret: OLD } })
    const change = { compatSignature: { header: 'acme-signature', secret: 'another-secret-text' } }
    expect(await read(call('PATCH', `/endpoints/${id}`, change))).toMatchObject(problem(422, 'invalid_endpoint'))
  })
})
