import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { describe, expect, it } from 'vitest'
import { EngineError } from '../errors.ts'
import cases from '../url-policy/parsing-cases.json' with { type: 'json' }
import { createWebCryptoSigner, decodeSecret, signatureHeaders } from './sign.ts'

const RUNS = 100_000
// Each is signed by WebCrypto and verified by the public library, which is slower than parsing.
const SIGNED = 5000

const base64 = 'ABCDXYZabcxyz0189+/'
const secret = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('whsec_', 'whsec_', 'whsec_', '', 'whsk_', 'WHSEC_', ' whsec_'),
      fc.string({ unit: fc.constantFrom(...base64.split('')), maxLength: 100, size: 'max' }),
      fc.constantFrom('', '', '=', '==', '===', '\n', '-', '_', 'é'),
    )
    .map((parts) => parts.join('')),
  fc
    .uint8Array({ minLength: 16, maxLength: 72, size: 'max' })
    .map((bytes) => `whsec_${Buffer.from(bytes).toString('base64')}`),
  fc.string(),
)

function keyOf(text: string): Uint8Array | undefined {
  try {
    return decodeSecret(text)
  } catch (error) {
    if (
      error instanceof EngineError &&
      error.code === 'invalid_endpoint' &&
      !(text.length > 12 && error.message.includes(text))
    )
      return undefined
    throw error
  }
}

describe('any secret', { timeout: 60_000 }, () => {
  it('is 24 to 64 bytes of base64 after whsec_, or refused without being quoted', () => {
    let accepted = 0
    fc.assert(
      fc.property(secret, (text) => {
        const key = keyOf(text)
        const said = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1]
        const bytes = said === undefined ? undefined : Buffer.from(said, 'base64')
        // Base64 of an incomplete byte is refused, although Buffer would truncate it.
        const whole = bytes !== undefined && said !== undefined && said.replace(/=+$/, '').length % 4 !== 1
        if (key === undefined) {
          const wellFormed =
            whole &&
            said.length % 4 === 0 &&
            bytes.length >= 24 &&
            bytes.length <= 64 &&
            bytes.toString('base64') === said
          if (wellFormed) throw new Error(`${text} was refused`)
          return
        }
        accepted++
        if (!bytes || bytes.length < 24 || bytes.length > 64 || Buffer.compare(key, bytes) !== 0)
          throw new Error(`${text} is another key`)
      }),
      { numRuns: RUNS },
    )
    expect(accepted).toBeGreaterThan(RUNS / 10)
  })

  it.each(cases.secrets)('%j is a secret: %s', (text, wanted) => {
    expect(keyOf(String(text)) !== undefined).toBe(wanted)
  })
})

describe('the headers of any message', { timeout: 60_000 }, () => {
  it('verify with the public library under each secret and no other, and not after a change of one byte', async () => {
    const sign = createWebCryptoSigner()
    const keys = Array.from(
      { length: 8 },
      (_, n) => `whsec_${createHmac('sha256', 'k').update(String(n)).digest('base64')}`,
    )
    const verifiers = keys.map((key) => new Webhook(key))
    const body = fc.oneof(
      fc.string({ maxLength: 60 }),
      fc.json({ maxDepth: 2 }),
      fc.string({ unit: 'grapheme', maxLength: 10 }),
    )
    const id = fc.string({ unit: fc.constantFrom(...'evt_0189abcdef-'.split('')), minLength: 1, maxLength: 40 })
    const now = Math.floor(Date.now() / 1000)
    const run = await fc.check(
      fc.asyncProperty(
        id,
        body,
        fc.uniqueArray(fc.nat(7), { minLength: 1, maxLength: 3 }),
        fc.nat(7),
        async (messageId, text, signers, other) => {
          const secrets = signers.map((index) => keys[index] ?? '')
          const headers = await signatureHeaders(sign, secrets, { id: messageId, timestampSeconds: now, body: text })
          const verifies = (index: number, changed: string, given: Record<string, string> = headers) => {
            try {
              verifiers[index]?.verify(changed, given)
              return true
            } catch (error) {
              // The library parses the body after verifying it, and it need not be JSON.
              return error instanceof SyntaxError
            }
          }
          if (!signers.every((index) => verifies(index, text))) throw new Error('not verified')
          if (verifies(other, text) !== signers.includes(other)) throw new Error('verified by another secret')
          const [first = 0] = signers
          if (verifies(first, `${text} `) || verifies(first, text, { ...headers, 'webhook-id': `${messageId}0` }))
            throw new Error('verified although changed')
          if (!/^v1,[A-Za-z0-9+/]{43}=( v1,[A-Za-z0-9+/]{43}=)*$/.test(headers['webhook-signature']))
            throw new Error('no header of one line')
        },
      ),
      { numRuns: SIGNED },
    )
    expect(run.failed, fc.defaultReportMessage(run)).toBe(false)
  })
})
