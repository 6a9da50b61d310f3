/**
 * What a secret is bound to. Strings, so that it fits the encryption context or associated data of any KMS as it is.
 * The pepper of the API keys (`pepper`) and the text that keys are checked by (`check`) are secrets too, of no workspace.
 */
export interface SecretContext {
  workspaceId: string
  endpointId: string
  /** `v1`, `v1a`, `compat`, `headers`, `auth`, `tls`, `pepper` or `check`. */
  scheme: string
  /** A whole number, in decimal. */
  version: string
}

/**
 * Encrypts secrets at rest: a key ring ({@link createKeyRing}), or a KMS. What was wrapped in one context must not unwrap
 * in another, so that a row which is copied to another endpoint is of no use there.
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
   * Under what `wrap` wraps from now on: 1–64 characters, kept in the clear beside what was wrapped.
   * `reencryptSecrets` wraps anew what was kept under any other.
   */
  readonly keyId: string
  /** At most 256 bytes in, at most 8 KiB out; the same bytes twice should not come out the same. */
  wrap(plain: Uint8Array<ArrayBuffer>, context: SecretContext): Promise<Uint8Array>
  /**
   * @param keyId what `keyId` was when it was wrapped
   * @throws {EngineError} `secret_unreadable` for what it did not wrap, or wrapped in another context: a queue does not start
   * under such a key. Any other error is one of a service that may answer later. No error may hold a secret.
   */
  unwrap(wrapped: Uint8Array<ArrayBuffer>, context: SecretContext, keyId: string): Promise<Uint8Array>
}
