/**
 * What a secret is bound to. Strings, so that it fits the encryption context or associated data of any KMS as it is.
 * The pepper of the API keys is a secret too: its workspace is empty and its scheme `pepper`.
 */
export interface SecretContext {
  workspaceId: string
  endpointId: string
  /** `v1`, `v1a`, `compat` or `pepper`. */
  scheme: string
  /** A whole number, in decimal. */
  version: string
}

/**
 * Encrypts secrets at rest: a key ring ({@link createKeyRing}), or a KMS. What was wrapped in one context must not unwrap
 * in another, so that a row which is copied to another endpoint is of no use there.
 *
 * @example
 * const kms: SecretKeeper = {
 *   keyId: 'alias/webhooks',
 *   wrap: async (plain, context) => (await client.encrypt({ KeyId, Plaintext: plain, EncryptionContext: { ...context } })).CiphertextBlob,
 *   unwrap: async (wrapped, context) => (await client.decrypt({ CiphertextBlob: wrapped, EncryptionContext: { ...context } })).Plaintext,
 * }
 */
export interface SecretKeeper {
  /**
   * Under what `wrap` wraps from now on: 1–64 characters, kept in the clear beside what was wrapped.
   * `reencryptSecrets` wraps anew what was kept under any other.
   */
  readonly keyId: string
  /** At most 256 bytes in, at most 8 KiB out; the same bytes twice should not come out the same. */
  wrap(plain: Uint8Array<ArrayBuffer>, context: SecretContext): Promise<Uint8Array>
  /**
   * @param keyId what `keyId` was when it was wrapped
   * @throws for what it did not wrap, or wrapped in another context. No error may hold a secret.
   */
  unwrap(wrapped: Uint8Array<ArrayBuffer>, context: SecretContext, keyId: string): Promise<Uint8Array>
}
