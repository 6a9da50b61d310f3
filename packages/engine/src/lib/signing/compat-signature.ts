import { fromBase64, toHex } from '../formats/encoding.ts'
import type { Signer } from './signer.ts'

/** The forms of a compatibility signature. */
export const COMPAT_FORMATS = ['timestamped', 'sha256'] as const

export type CompatFormat = (typeof COMPAT_FORMATS)[number]

/**
 * A signature in the form that many senders used before Standard Webhooks, for receivers that support no other: HMAC-SHA256
 * in hex, under the text of its own secret. It is sent in addition to the signatures of Standard Webhooks, and does not cover
 * the id.
 */
export interface CompatSignature {
  /** The name of the header, by the rule for an endpoint's own headers. */
  header: string
  /**
   * - `timestamped`: `t=1614265330,v1=<hex>`, over `t.body`; during a rotation one `v1` for each active secret.
   * - `sha256`: `sha256=<hex>`, over the body alone. It holds one value: during a rotation the older secret signs until it
   *   expires, and then the new one.
   *
   * A change without it leaves it as it is.
   *
   * @default 'timestamped'
   */
  format?: CompatFormat | undefined
  /** 16 to 256 visible ASCII characters, used as they are. @default a new one */
  secret?: string | undefined
}

const PREFIX = 'compat_'

/** The secret as signers get it: its prefix selects the algorithm. */
export function toCompatSecret(text: string): string {
  return PREFIX + text
}

/** The text that the receiver has. */
export function fromCompatSecret(secret: string): string {
  return secret.slice(PREFIX.length)
}

/** The value of the header. @param secrets the active ones, the newest first */
export async function compatSignature(
  sign: Signer,
  secrets: readonly string[],
  { timestampSeconds, body }: { timestampSeconds: number; body: string },
  format: CompatFormat,
): Promise<string> {
  // The receiver learns the new secret after the rotation, so the older one signs until it expires.
  if (format === 'sha256') return `sha256=${await signedInHex(sign, secrets.at(-1) ?? '', body)}`
  let value = `t=${timestampSeconds}`
  for (const secret of secrets) value += `,v1=${await signedInHex(sign, secret, `${timestampSeconds}.${body}`)}`
  return value
}

async function signedInHex(sign: Signer, secret: string, content: string): Promise<string> {
  return toHex(fromBase64(await sign(secret, content)) ?? new Uint8Array())
}
