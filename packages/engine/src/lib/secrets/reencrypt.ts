import { type OutboxDatabase, Transaction } from '@keepsend/outbox'
import { type OptionNames, limitTo, sqlText } from '@keepsend/outbox/internal'
import { EngineError, checkBounds, checkNames } from '../errors.ts'
import { consoleLogger } from '../console-logger.ts'
import { type Logger, errorFields } from '../logger.ts'
import { redactingLogger } from '../redacting-logger.ts'
import { type Secrets, type StoredSecret, createSecretStore, encryptionOf } from './secret-store.ts'

export interface ReencryptOptions {
  db: OutboxDatabase
  /** As `createEngine` has it: the active key first, then the keys that rows are encrypted under. */
  secrets: Secrets
  /** Secrets of one call, in one commit: 1–500. @default 100 */
  limit?: number | undefined
  /** `next` of the previous call. @default from the beginning */
  after?: string | undefined
  /** Logs each secret that failed, with its endpoint. @default consoleLogger */
  logger?: Logger | undefined
}

export const REENCRYPT_OPTIONS = {
  db: 'object',
  secrets: 'any',
  limit: 'number',
  after: 'text',
  logger: 'object',
} satisfies OptionNames<ReencryptOptions>

export interface ReencryptResult {
  /** Secrets that are now under the active key. Those that changed meanwhile are left to the next run. */
  reencrypted: number
  /** Secrets that could not be decrypted or encrypted: logged and left as they are. */
  failed: number
  /** Pass it as `after` of the next call; undefined: there are no more. */
  next: string | undefined
}

/**
 * Encrypts under the active key the secrets that are under another key or in plaintext, in one bounded batch. Safe to repeat,
 * to interrupt and to run while the engine works. When a run from beginning to end reports 0 of both, older keys can be
 * removed.
 *
 * @example
 * let after: string | undefined
 * do ({ next: after } = await reencryptSecrets({ db, secrets, after }))
 * while (after)
 */
export async function reencryptSecrets(options: ReencryptOptions): Promise<ReencryptResult> {
  checkNames('reencryptSecrets', REENCRYPT_OPTIONS, options)
  const { db, secrets, limit = 100, after = '' } = options
  const logger = redactingLogger(options.logger ?? consoleLogger)
  const encryption = encryptionOf(secrets)
  if (!encryption) throw new EngineError('invalid_option', 'secrets must be a key ring or a KMS; found plaintext')
  checkBounds('limit', limit, 1, 500)
  const [endpointId = '', scheme = '', version = '0'] = after.split(' ')
  const { rows: found } = await db.run<StoredSecret>(sqlText`
    select stored.endpoint_id as "endpointId", scheme, stored.version as "version", secret, key_id as "keyId",
      coalesce(workspace_id, '') as "workspaceId"
    from keepsend_secrets as stored left join keepsend_endpoints as endpoint on endpoint.id = stored.endpoint_id
    where (key_id is null or key_id <> ${encryption.keyId})
      and (stored.endpoint_id, scheme, stored.version) > (${endpointId}, ${scheme}, cast(${Number(version)} as integer))
    order by stored.endpoint_id, scheme, stored.version ${limitTo(limit)}`)

  const store = createSecretStore(encryption)
  const sealed = await Promise.all(
    found.map(async (row) => {
      try {
        return { row, now: await store.seal(await store.open(row), row) }
      } catch (error) {
        logger.error(
          { endpointId: row.endpointId, ...errorFields(error) },
          'failed to re-encrypt a secret; it is unchanged',
        )
        return undefined
      }
    }),
  )
  const readable = sealed.filter((one) => one !== undefined)
  const transaction = new Transaction()
  // Compare and set on the old ciphertext: a concurrent change wins.
  const written = readable.map(({ row, now }) =>
    transaction.add(sqlText`
        update keepsend_secrets set secret = ${now.secret}, key_id = ${now.keyId}
        where endpoint_id = ${row.endpointId} and scheme = ${row.scheme} and version = ${row.version} and secret = ${row.secret}`),
  )
  await transaction.commit(db)
  const last = found.length === limit ? found.at(-1) : undefined
  return {
    reencrypted: written.reduce((sum, { changes }) => sum + changes, 0),
    failed: found.length - readable.length,
    next: last && `${last.endpointId} ${last.scheme} ${last.version}`,
  }
}
