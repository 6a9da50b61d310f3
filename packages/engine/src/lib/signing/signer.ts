/** The schemes that an endpoint's requests can be signed by. Each has its own secrets. */
export type SignatureScheme = 'v1' | 'v1a' | 'compat'

/**
 * Signs the content and returns the signature in base64. The prefix of the secret decides the algorithm, which
 * {@link signingKey} reads: HMAC-SHA256 for `whsec_` and `compat_`, ed25519 for `whsk_`.
 */
export type Signer = (secret: string, content: string) => string | Promise<string>

/** The key of a secret, and its algorithm. */
export type SigningKey =
  | { algorithm: 'HMAC'; key: Uint8Array<ArrayBuffer> }
  | { algorithm: 'Ed25519'; pkcs8: Uint8Array<ArrayBuffer> }
