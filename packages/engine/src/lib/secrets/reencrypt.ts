import { type OutboxDatabase, Transaction } from '@keepsend/outbox'
import { type OptionNames, limitTo, sqlText } from '@keepsend/outbox/internal'
import { EngineError, checkBounds, checkNames } from '../errors.ts'
import { consoleLogger } from '../console-logger.ts'
import { type Logger, errorFields } from '../logger.ts'
import { redactingLogger } from '../redacting-logger.ts'
import { type Secrets, type StoredSecret, createSecretStore, encryptionOf } from './secret-store.ts'

export interface ReencryptOptions {
  db: OutboxDatabase
  /** As `createEngine` has it: with the key to encrypt under first, and those that rows are under behind it. */
  secrets: Secrets
  /** Secrets of one call and one commit: 1–500. @default 100 */
  limit?: number | undefined
  /** `next` of the call before. @default from the beginning */
  after?: string | undefined
  /** Told of each secret that failed, by its endpoint. @default consoleLogger */
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
  /** Now under the active key. Those that changed meanwhile are left to the next run. */
  reencrypted: number
  /** Could not be read, or not be encrypted: left as they are, and logged. */
  failed: number
  /** Where to go on; undefined: that was the last. */
  next: string | undefined
}

/**
 * Encrypts under the active key what is under another or in plaintext, in one bounded batch. Safe to repeat, to run
 * beside everything else, and to be killed. When a run from the beginning to the end reports nothing, older keys can go.
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
  const keeper = encryptionOf(secrets)
  if (!keeper) throw new EngineError('invalid_option', 'secrets must be what to encrypt with; found plaintext')
  checkBounds('limit', limit, 1, 500)
  const [endpointId = '', scheme = '', version = '0'] = after.split(' ')
  const { rows: found } = await db.run<StoredSecret>(sqlText`
    select kept.endpoint_id as "endpointId", scheme, kept.version as "version", secret, key_id as "keyId",
      coalesce(workspace_id, '') as "workspaceId"
    from keepsend_secrets as kept left join keepsend_endpoints as endpoint on endpoint.id = kept.endpoint_id
    where (key_id is null or key_id <> ${keeper.keyId})
      and (kept.endpoint_id, scheme, kept.version) > (${endpointId}, ${scheme}, cast(${Number(version)} as integer))
    order by kept.endpoint_id, scheme, kept.version ${limitTo(limit)}`)

  const store = createSecretStore(keeper)
  const sealed = await Promise.all(
    found.map(async (row) => {
      try {
        return { row, now: await store.seal(await store.open(row), row) }
      } catch (error) {
        logger.error({ endpointId: row.endpointId, ...errorFields(error) }, 'a secret was not encrypted anew')
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
