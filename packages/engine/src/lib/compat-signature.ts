import { fromBase64, toHex } from './encoding.ts'
import { checkHeaders } from './custom-headers.ts'
import { EngineError } from './errors.ts'
import type { Signer } from './sign.ts'

/**
 * A signature as many senders made them before Standard Webhooks, for receivers that know no other: a header of the form
 * `t=1614265330,v1=<hex>`, with HMAC-SHA256 over `t.body` under the text of a secret of its own. It stands beside the
 * signatures of Standard Webhooks, never instead of them, and does not cover the id.
 */
export interface CompatSignature {
  /** By the rule for an endpoint's own headers. */
  header: string
  /** 16 to 256 visible ASCII characters, taken over as they are. @default a new one */
  secret?: string | undefined
}

const PREFIX = 'compat_'

/** Checks both parts. @throws {EngineError} `invalid_endpoint`, which never repeats the secret */
export function checkCompat({ header, secret }: CompatSignature): void {
  checkHeaders({ [header]: 'x' })
  if (secret !== undefined && !/^[\u0021-\u007e]{16,256}$/.test(secret)) {
    throw new EngineError('invalid_endpoint', 'compatSignature.secret must be 16 to 256 visible ASCII characters')
  }
}

/** As it is kept and sent: header names do not tell case. */
export function compatHeader(input: { compatSignature?: CompatSignature | null | undefined }): string | null {
  return input.compatSignature?.header.toLowerCase() ?? null
}

/** How signers know it: a secret says by its prefix what is made with it. */
export function toCompatSecret(text: string): string {
  return PREFIX + text
}

/** The text that a receiver holds. */
export function fromCompatSecret(secret: string): string {
  return secret.slice(PREFIX.length)
}

/** The header's value: one `v1` for each active secret. */
export async function compatSignature(
  sign: Signer,
  secrets: readonly string[],
  { timestampSeconds, body }: { timestampSeconds: number; body: string },
): Promise<string> {
  let value = `t=${timestampSeconds}`
  for (const secret of secrets) {
    const signed = fromBase64(await sign(secret, `${timestampSeconds}.${body}`))
    value += `,v1=${toHex(signed ?? new Uint8Array())}`
  }
  return value
}
