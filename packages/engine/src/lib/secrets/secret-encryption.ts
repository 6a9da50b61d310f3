/**
 * The row that a secret is bound to, as strings, so that it can be the encryption context or associated data of any KMS. The
 * pepper of the API keys (`pepper`) and the check values of the keys (`check`) are secrets too, of no workspace.
 */
export interface SecretContext {
  workspaceId: string
  endpointId: string
  /** `v1`, `v1a`, `compat`, `headers`, `auth`, `tls`, `pepper` or `check`. */
  scheme: string
  /** A whole number in decimal. */
  version: string
}

/**
 * Encrypts secrets at rest: a key ring ({@link createKeyRing}), or a KMS. A secret that was wrapped in one context must not
 * unwrap in another, so that a row copied to another endpoint is useless there.
 *
 * @example
 * const kms: SecretEncryption = {
 *   keyId: 'alias/webhooks',
 *   wrap: async (plain, context) => (await client.encrypt({ KeyId, Plaintext: plain, EncryptionContext: { ...context } })).CiphertextBlob,
 *   unwrap: async (wrapped, context) => (await client.decrypt({ CiphertextBlob: wrapped, EncryptionContext: { ...context } })).Plaintext,
 * }
 */
export interface SecretEncryption {
  /**
   * The key that `wrap` uses now: 1–64 characters, stored in the clear beside the secret. `reencryptSecrets` wraps again the
   * secrets that are under any other.
   */
  readonly keyId: string
  /** At most 256 bytes in, at most 8 KiB out; wrapping the same bytes twice should not give the same result. */
  wrap(plain: Uint8Array<ArrayBuffer>, context: SecretContext): Promise<Uint8Array>
  /**
   * @param keyId the `keyId` under which it was wrapped
   * @throws {EngineError} `secret_unreadable` for a secret that was wrapped under another key or in another context: a queue
   * refuses to start with such a key. Any other error counts as a service that may answer later. No error may contain a secret.
   */
  unwrap(wrapped: Uint8Array<ArrayBuffer>, context: SecretContext, keyId: string): Promise<Uint8Array>
}
