import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compatSignature, toCompatSecret } from './compat-signature.ts'
import { checkCompat } from '../endpoints/check-endpoint.ts'
import { createWebCryptoSigner } from './sign.ts'

/** Verifies as receivers of the older form do: time and each `v1` from the header, HMAC over `t.body` in hex. */
function verifies(header: string, body: string, secret: string): boolean {
  const parts = header.split(',').map((part) => part.split('='))
  const time = parts.find(([name]) => name === 't')?.[1]
  const expected = createHmac('sha256', secret).update(`${time}.${body}`, 'utf8').digest('hex')
  return parts.some(([name, value]) => name === 'v1' && value === expected)
}

describe('the compatibility signature', () => {
  it('matches the known-answer vector', async () => {
    const value = await compatSignature(
      createWebCryptoSigner(),
      [toCompatSecret('whsec_test_secret')],
      {
        timestampSeconds: 1_614_265_330,
        body: '{"test": 2432232314}',
      },
      'timestamped',
    )
    // openssl dgst -sha256 -hmac whsec_test_secret, of 1614265330.{"test": 2432232314}
    expect(value).toBe('t=1614265330,v1=10c96c6fd3f320fcfc264cdc4f476c15060ede8e8a08404cea2ddf3b72544a9c')
  })

  it('verifies with either of two secrets, for any payload, and with no other', async () => {
    const sign = createWebCryptoSigner()
    const text = fc.string({
      unit: fc.integer({ min: 0x21, max: 0x7e }).map((at) => String.fromCodePoint(at)),
      minLength: 16,
    })
    await fc.assert(
      fc.asyncProperty(text, text, fc.string({ unit: 'grapheme' }), async (one, two, body) => {
        const header = await compatSignature(
          sign,
          [one, two].map(toCompatSecret),
          { timestampSeconds: 7, body },
          'timestamped',
        )
        expect([one, two].map((secret) => verifies(header, body, secret))).toEqual([true, true])
        expect(verifies(header, body, `${one}x`)).toBe(false)
        expect(verifies(header, `${body}x`, one)).toBe(false)
      }),
    )
  })

  it.each(['host', 'content-type', 'webhook-signature', 'Webhook-Id', 'a b', '', 'x-forwarded-for', 'keepsend-x'])(
    'does not go into the header %j',
    (header) => {
      expect(() => checkCompat({ header })).toThrow(expect.objectContaining({ code: 'invalid_endpoint' }))
    },
  )

  it('accepts a secret of 16 to 256 visible characters, and quotes no other in its error', () => {
    for (const secret of ['x'.repeat(16), 'x'.repeat(256)]) checkCompat({ header: 'Acme-Signature', secret })
    for (const secret of ['CANARY', 'CANARY'.repeat(43), `CANARY ${'x'.repeat(16)}`, `CANARY${'ü'.repeat(16)}`]) {
      expect(() => checkCompat({ header: 'acme-signature', secret })).toThrow('16 to 256 visible ASCII characters')
      expect(() => checkCompat({ header: 'acme-signature', secret })).not.toThrow('CANARY')
    }
  })
})
