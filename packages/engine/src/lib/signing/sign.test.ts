import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { Webhook as StandardWebhook } from 'standardwebhooks'
import { Webhook as SvixWebhook } from 'svix'
import { describe, expect, it } from 'vitest'
import { createWebCryptoSigner, decodeSecret, newSecret, sha256Hex, signatureHeaders } from './sign.ts'

// The known-answer vector of the reference libraries of Standard Webhooks.
const VECTOR = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  message: { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestampSeconds: 1_614_265_330, body: '{"test": 2432232314}' },
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
}

const now = () => Math.floor(Date.now() / 1000)

describe('the signature', () => {
  it('matches the known-answer vector', async () => {
    expect(await signatureHeaders(createWebCryptoSigner(), [VECTOR.secret], VECTOR.message)).toEqual({
      'webhook-id': VECTOR.message.id,
      'webhook-timestamp': '1614265330',
      'webhook-signature': VECTOR.signature,
    })
  })

  it('covers id, time and body: a change of any gives another signature (trap 33)', async () => {
    const { message } = VECTOR
    const variants = [
      message,
      { ...message, id: 'msg_2' },
      { ...message, timestampSeconds: 1 },
      { ...message, body: '{}' },
    ]
    const signed = await Promise.all(
      variants.map((variant) => signatureHeaders(createWebCryptoSigner(), [VECTOR.secret], variant)),
    )
    expect(new Set(signed.map((headers) => headers['webhook-signature'])).size).toBe(4)
  })

  it('is repeated for each secret, in order, separated by spaces', async () => {
    const secrets = [newSecret(), VECTOR.secret, newSecret()]
    const headers = await signatureHeaders(createWebCryptoSigner(), secrets, VECTOR.message)
    const signatures = headers['webhook-signature'].split(' ')
    expect(signatures).toHaveLength(3)
    expect(signatures[1]).toBe(VECTOR.signature)
    expect(new Set(signatures).size).toBe(3)
  })

  it('accepts synchronous and asynchronous signers', async () => {
    const sync = (secret: string, content: string) =>
      createHmac('sha256', decodeSecret(secret)).update(content).digest('base64')
    const headers = await signatureHeaders(sync, [VECTOR.secret], VECTOR.message)
    expect(headers['webhook-signature']).toBe(VECTOR.signature)
  })

  it.each([
    ['standardwebhooks', StandardWebhook],
    ['svix', SvixWebhook],
  ])('is verified by %s, for any payload and either of two secrets', async (_, Webhook) => {
    const sign = createWebCryptoSigner()
    const payload = fc.oneof(fc.json(), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }))
    await fc.assert(
      fc.asyncProperty(
        payload.map((text) => JSON.stringify({ text })),
        async (body) => {
          const secrets = [newSecret(), newSecret()]
          const headers = await signatureHeaders(sign, secrets, { id: 'evt_1', timestampSeconds: now(), body })
          for (const secret of secrets) expect(() => new Webhook(secret).verify(body, headers)).not.toThrow()
          expect(() => new Webhook(newSecret()).verify(body, headers)).toThrow()
          expect(() => new Webhook(secrets[0] ?? '').verify(`${body} `, headers)).toThrow()
        },
      ),
    )
  })

  it('is still correct with more secrets than cached keys', async () => {
    const sign = createWebCryptoSigner({ maxKeys: 2 })
    const secrets = Array.from({ length: 6 }, newSecret)
    const once = await Promise.all(secrets.map(async (secret) => sign(secret, 'x')))
    const again = await Promise.all(secrets.map(async (secret) => sign(secret, 'x')))
    expect(again).toEqual(once)
    expect(once).toEqual(
      secrets.map((secret) => createHmac('sha256', decodeSecret(secret)).update('x').digest('base64')),
    )
  })
})

describe('secrets', () => {
  it('new ones are whsec_ and 32 random bytes', () => {
    const secrets = Array.from({ length: 100 }, newSecret)
    for (const secret of secrets) expect(decodeSecret(secret)).toHaveLength(32)
    expect(new Set(secrets).size).toBe(100)
  })

  it('of 24 to 64 bytes are accepted', () => {
    for (const bytes of [24, 25, 32, 63, 64]) {
      expect(decodeSecret(`whsec_${Buffer.alloc(bytes, 7).toString('base64')}`)).toEqual(new Uint8Array(bytes).fill(7))
    }
  })

  it.each([
    '',
    'whsec_',
    'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    'whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    `whsec_${Buffer.alloc(23).toString('base64')}`,
    `whsec_${Buffer.alloc(65).toString('base64')}`,
    'whsec_not base64 at all, or is it?',
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n',
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw===',
    `whsec_${'-_'.repeat(20)}`,
    `WHSEC_${Buffer.alloc(32).toString('base64')}`,
  ])('%j is refused, and the error does not repeat it', (secret) => {
    expect(() => decodeSecret(secret)).toThrow(expect.objectContaining({ code: 'invalid_endpoint' }))
    expect(() => decodeSecret(secret)).toThrow(/^a secret must be whsec_ and the base64 of 24 to 64 bytes$/)
  })
})

it('sha256Hex is the digest of text and of bytes alike', async () => {
  const known = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
  expect([await sha256Hex('abc'), await sha256Hex(new Uint8Array([97, 98, 99]))]).toEqual([known, known])
})
