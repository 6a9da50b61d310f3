import { randomBytes } from 'node:crypto'
import { EngineError, createWebCryptoSigner, newSecret } from '@keepsend/engine'
import { signatureHeaders } from '@keepsend/engine/internal'
import { Webhook } from 'standardwebhooks'
import { describe, expect, it } from 'vitest'
import { createNodeSigner } from './node-signer.ts'

// The known answer of the tests of Standard Webhooks' reference libraries.
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const MESSAGE = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestampSeconds: 1614265330, body: '{"test": 2432232314}' }

describe('createNodeSigner', () => {
  it('returns the known answer', async () => {
    const headers = await signatureHeaders(createNodeSigner(), [SECRET], MESSAGE)
    expect(headers['webhook-signature']).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
  })

  it("equals the engine's own signer, and the public library, for any secret and text", async () => {
    const [hmac, web] = [createNodeSigner(), createWebCryptoSigner()]
    for (const text of ['', 'a', 'grüezi 👋', 'x'.repeat(100_000)]) {
      const secret = newSecret()
      const content = `evt_1.${MESSAGE.timestampSeconds}.${text}`
      const signed = await hmac(secret, content)
      expect(signed).toBe(await web(secret, content))
      expect(new Webhook(secret).sign('evt_1', new Date(MESSAGE.timestampSeconds * 1000), text)).toBe(`v1,${signed}`)
    }
  })

  it('gives the known answer of v1a', async () => {
    // From Svix's own tests: none of the reference libraries has one.
    const secret = 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=='
    const headers = await signatureHeaders(createNodeSigner(), [secret], MESSAGE)
    expect(headers['webhook-signature']).toBe(
      'v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==',
    )
  })

  it("equals the engine's own signer for each kind of secret", async () => {
    const [node, web] = [createNodeSigner(), createWebCryptoSigner()]
    const seed = randomBytes(32).toString('base64')
    for (const secret of [newSecret(), `whsk_${seed}`, 'compat_the-secret-of-the-old-sender']) {
      for (const text of ['', 'grüezi 👋', 'x'.repeat(100_000)]) {
        expect(await node(secret, text), secret.slice(0, 5)).toBe(await web(secret, text))
      }
    }
  })

  it('signs correctly with more secrets than cached keys', async () => {
    const [few, web] = [createNodeSigner({ maxKeys: 2 }), createWebCryptoSigner()]
    const secrets = [newSecret(), newSecret(), newSecret()]
    for (const secret of [...secrets, ...secrets])
      expect(await few(secret, 'content')).toBe(await web(secret, 'content'))
  })

  it('refuses an invalid secret', () => {
    expect(() => createNodeSigner()('whsec_short', 'content')).toThrow(EngineError)
    expect(() => createNodeSigner()('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'content')).toThrow('whsec_')
  })
})
