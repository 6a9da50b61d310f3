/** How an endpoint's requests can be signed. Each scheme has secrets of its own. */
export type SignatureScheme = 'v1' | 'v1a' | 'compat'

/**
 * One signature of the content, in base64. The secret says by its prefix what is made with it, and {@link signingKey}
 * reads it: HMAC-SHA256 under `whsec_` and `compat_`, ed25519 under `whsk_`.
 */
export type Signer = (secret: string, content: string) => string | Promise<string>

/** What a signer signs with. */
export type SigningKey =
  | { algorithm: 'HMAC'; key: Uint8Array<ArrayBuffer> }
  | { algorithm: 'Ed25519'; pkcs8: Uint8Array<ArrayBuffer> }
