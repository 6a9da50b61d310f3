import { createPublicKey, verify } from 'node:crypto'
import fc from 'fast-check'
import { Webhook as StandardWebhook } from 'standardwebhooks'
import { Webhook as SvixWebhook } from 'svix'
import { describe, expect, it } from 'vitest'
import { checkSigningKey, newSigningKey, publicKeyOf } from './sign-v1a.ts'
import { createWebCryptoSigner, newSecret, signatureHeaders } from './sign.ts'

// From Svix's own tests: none of the reference libraries has one.
const VECTOR = {
  secret: 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==',
  publicKey: 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=',
  message: { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestampSeconds: 1_614_265_330, body: '{"test": 2432232314}' },
  signature: 'v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==',
}

/** Verifies as a receiver does, with the public key alone. */
function verifies(publicKey: string, content: string, signature: string): boolean {
  const x = Buffer.from(publicKey.slice('whpk_'.length), 'base64').toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  return verify(null, Buffer.from(content), key, Buffer.from(signature.slice('v1a,'.length), 'base64'))
}

describe('v1a', () => {
  it('matches the known-answer vector and its public key', async () => {
    const headers = await signatureHeaders(createWebCryptoSigner(), [VECTOR.secret], VECTOR.message)
    expect(headers['webhook-signature']).toBe(VECTOR.signature)
    expect(publicKeyOf(VECTOR.secret)).toBe(VECTOR.publicKey)
  })

  it(
    'is verified by its public key for any payload, and by no other, over no other bytes',
    { timeout: 30_000 },
    async () => {
      const sign = createWebCryptoSigner()
      const [secret, other] = [await newSigningKey(), await newSigningKey()]
      await fc.assert(
        fc.asyncProperty(fc.oneof(fc.json(), fc.string({ unit: 'binary' })), async (body) => {
          const headers = await signatureHeaders(sign, [secret], { id: 'evt_1', timestampSeconds: 1, body })
          const signature = headers['webhook-signature']
          expect(verifies(publicKeyOf(secret), `evt_1.1.${body}`, signature)).toBe(true)
          expect(verifies(publicKeyOf(other), `evt_1.1.${body}`, signature)).toBe(false)
          expect(verifies(publicKeyOf(secret), `evt_1.2.${body}`, signature)).toBe(false)
        }),
      )
    },
  )

  it('is sent beside v1 under its own name, and ignored by libraries that support only v1', async () => {
    const [secret, key] = [newSecret(), await newSigningKey()]
    const message = { ...VECTOR.message, timestampSeconds: Math.floor(Date.now() / 1000) }
    const headers = await signatureHeaders(createWebCryptoSigner(), [secret, key], message)
    expect(headers['webhook-signature']).toMatch(/^v1,[\w+/]{43}= v1a,[\w+/]{86}==$/)
    for (const Webhook of [StandardWebhook, SvixWebhook]) {
      expect(() => new Webhook(secret).verify(message.body, headers)).not.toThrow()
      expect(() => new Webhook(newSecret()).verify(message.body, headers)).toThrow()
    }
  })
})

describe('a whsk_ secret', () => {
  it('is a new seed and its public key each time', async () => {
    const secrets = await Promise.all(Array.from({ length: 50 }, newSigningKey))
    expect(new Set(secrets).size).toBe(50)
    for (const secret of secrets) expect(await checkSigningKey(secret)).toBe(secret)
  })

  it('may be given as the seed alone', async () => {
    const seed = Buffer.from(VECTOR.secret.slice(5), 'base64').subarray(0, 32).toString('base64')
    expect(await checkSigningKey(`whsk_${seed}`)).toBe(VECTOR.secret)
  })

  it('is refused with the public key of another seed', async () => {
    const [one, two] = [await newSigningKey(), await newSigningKey()].map((secret) =>
      Buffer.from(secret.slice(5), 'base64'),
    )
    const mixed = Buffer.concat([(one ?? Buffer.of()).subarray(0, 32), (two ?? Buffer.of()).subarray(32)])
    await expect(checkSigningKey(`whsk_${mixed.toString('base64')}`)).rejects.toMatchObject({
      code: 'invalid_endpoint',
    })
  })

  it.each(['', 'whsk_', 'whsk_CANARY', newSecret(), `whsk_${Buffer.alloc(33).toString('base64')}`])(
    '%j is refused, and the error does not quote it',
    async (secret) => {
      await expect(checkSigningKey(secret)).rejects.toThrow(
        /^a secret of v1a must be whsk_ and the base64 of a 32-byte seed/,
      )
      await expect(checkSigningKey(secret)).rejects.not.toThrow('CANARY')
    },
  )
})
