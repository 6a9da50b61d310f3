import { fromBase64, toHex } from '../formats/encoding.ts'
import type { Signer } from './signer.ts'

/** The forms of a compatibility signature. */
export const COMPAT_FORMATS = ['timestamped', 'sha256'] as const

export type CompatFormat = (typeof COMPAT_FORMATS)[number]

/**
 * A signature as many senders made them before Standard Webhooks, for receivers that know no other: HMAC-SHA256 in hex,
 * under the text of a secret of its own. It stands beside the signatures of Standard Webhooks, never instead of them, and
 * does not cover the id.
 */
export interface CompatSignature {
  /** By the rule for an endpoint's own headers. */
  header: string
  /**
   * - `timestamped`: `t=1614265330,v1=<hex>`, over `t.body`; in a rotation a `v1` for each active secret.
   * - `sha256`: `sha256=<hex>`, over the body alone. It has room for one value: in a rotation the secret before signs
   *   until it expires, and then the new one.
   *
   * A change that leaves it out leaves it as it is.
   *
   * @default 'timestamped'
   */
  format?: CompatFormat | undefined
  /** 16 to 256 visible ASCII characters, taken over as they are. @default a new one */
  secret?: string | undefined
}

const PREFIX = 'compat_'

/** How signers know it: a secret says by its prefix what is made with it. */
export function toCompatSecret(text: string): string {
  return PREFIX + text
}

/** The text that a receiver holds. */
export function fromCompatSecret(secret: string): string {
  return secret.slice(PREFIX.length)
}

/** The header's value. @param secrets those that are active, the newest first */
export async function compatSignature(
  sign: Signer,
  secrets: readonly string[],
  { timestampSeconds, body }: { timestampSeconds: number; body: string },
  format: CompatFormat,
): Promise<string> {
  // The receiver learns of the new secret after the rotation: until the one before expires, it signs.
  if (format === 'sha256') return `sha256=${await signedInHex(sign, secrets.at(-1) ?? '', body)}`
  let value = `t=${timestampSeconds}`
  for (const secret of secrets) value += `,v1=${await signedInHex(sign, secret, `${timestampSeconds}.${body}`)}`
  return value
}

async function signedInHex(sign: Signer, secret: string, content: string): Promise<string> {
  return toHex(fromBase64(await sign(secret, content)) ?? new Uint8Array())
}
