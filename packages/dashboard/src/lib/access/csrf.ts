import type { Context } from 'hono'

/**
 * Tokens of forms: an HMAC of the reader's name, masked anew in each page, so that no two pages repeat bytes that a compressed
 * response would reveal.
 */
export interface Csrf {
  token(name: string): Promise<string>
  isValid(token: string, name: string): Promise<boolean>
}

const BYTES = 32

/** @param secret reads the secret of the installation; it is asked once */
export function createCsrf(secret: () => Promise<string>): Csrf {
  // The key is cached and its promise is not: on Workers a promise of a cancelled request never settles.
  let known: Awaited<ReturnType<typeof crypto.subtle.importKey>> | undefined
  async function macOf(name: string): Promise<Uint8Array> {
    known ??= await crypto.subtle.importKey(
      'raw',
      new TextEncoder().encode(await secret()),
      { name: 'HMAC', hash: 'SHA-256' },
      false,
      ['sign'],
    )
    return new Uint8Array(await crypto.subtle.sign('HMAC', known, new TextEncoder().encode(name)))
  }

  return {
    async token(name) {
      const mask = crypto.getRandomValues(new Uint8Array(BYTES))
      const mac = await macOf(name)
      return toHex([...mask, ...xor(mac, mask)])
    },

    async isValid(token, name) {
      if (!/^[0-9a-f]{128}$/.test(token)) return false
      const bytes = Uint8Array.from(token.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
      const mac = await macOf(name)
      const given = xor(bytes.subarray(BYTES), bytes.subarray(0, BYTES))
      // Without an early end: the time tells nothing about the token.
      return given.reduce((difference, byte, at) => difference | (byte ^ (mac[at] ?? 0)), 0) === 0
    },
  }
}

function xor(one: Uint8Array, other: Uint8Array): Uint8Array {
  return one.map((byte, at) => byte ^ (other[at] ?? 0))
}

function toHex(bytes: readonly number[]): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Whether the browser says that another site sent this form. Browsers that say nothing are left to the token. */
export function isFromElsewhere(c: Context): boolean {
  const site = c.req.header('sec-fetch-site')
  if (site !== undefined) return site !== 'same-origin'
  const origin = c.req.header('origin')
  if (origin === undefined) return false
  const host = c.req.header('x-forwarded-host') ?? c.req.header('host') ?? new URL(c.req.url).host
  return !URL.canParse(origin) || new URL(origin).host !== host
}
