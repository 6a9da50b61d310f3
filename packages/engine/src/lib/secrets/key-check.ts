import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, limitTo, sqlText } from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'
import { type Logger, errorFields } from '../logger.ts'
import { PEPPER_PLACE } from './pepper.ts'
import type { SecretStore, StoredSecret } from './secret-store.ts'

/** Checks that the configured keys can read the stored secrets. */
export interface KeyCheck {
  /** Checks without writing. @throws {EngineError} `secret_unreadable`, naming the key */
  verify(): Promise<void>
  /**
   * Checks, and stores a check value for the active key if there is none yet. A database or key service that does not answer
   * is logged, because it may answer later. After a success it does nothing, since a cron calls it every minute.
   *
   * @throws {EngineError} `secret_unreadable`, naming the key that is missing or different
   */
  begin(): Promise<void>
}

const PLACE = { workspaceId: '', endpointId: 'key_check', scheme: 'check' }
const PLAIN = 'keepsend'
// Retries against processes that start at the same time with other active keys.
const MAX_TRIES = 10
// One damaged row says nothing about the keys while another one can be read.
const SAMPLE = 10

/**
 * For each key that was ever active a known text is stored among the secrets, encrypted. A process that can read all of them
 * has every key that rows need. `reencryptSecrets` moves them to the active key like any secret, after those of the endpoints,
 * so the check still passes when an old key is removed. Also checked: the pepper of the API keys, and, while there is no check
 * value, a sample of the endpoints' secrets.
 */
export function createKeyCheck(db: OutboxDatabase, store: SecretStore, logger: Logger): KeyCheck {
  let isVerified = false

  async function readChecks(): Promise<StoredSecret[]> {
    const { rows } = await db.run<StoredSecret>(sqlText`
      select endpoint_id as "endpointId", scheme, version, secret, key_id as "keyId", '' as "workspaceId"
      from keepsend_secrets
      where endpoint_id = ${PLACE.endpointId} or endpoint_id = ${PEPPER_PLACE.endpointId}
      order by endpoint_id, scheme, version`)
    await Promise.all(rows.map(async (row) => store.open(row)))
    return rows.filter(({ scheme }) => scheme === PLACE.scheme)
  }

  async function readEndpointSecrets(): Promise<void> {
    const { rows } = await db.run<StoredSecret>(sqlText`
      select stored.endpoint_id as "endpointId", scheme, stored.version as "version", secret, key_id as "keyId",
        workspace_id as "workspaceId"
      from keepsend_secrets as stored join keepsend_endpoints as endpoint on endpoint.id = stored.endpoint_id ${limitTo(SAMPLE)}`)
    if (rows.length > 0) await Promise.any(rows.map(async (row) => store.open(row))).catch(firstOf)
  }

  async function begin(): Promise<void> {
    if (isVerified) return
    let checks = await readChecks()
    if (checks.length === 0) await readEndpointSecrets()
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      isVerified = store.keyId === undefined || checks.some(({ keyId }) => keyId === store.keyId)
      if (isVerified) return
      await db.run(insertCheck(await seal((checks.at(-1)?.version ?? 0) + 1)))
      // The primary key lets one of two concurrent inserts through; the other process reads it here.
      checks = await readChecks()
    }
  }

  async function seal(version: number): Promise<StoredSecret> {
    const place = { ...PLACE, version }
    return { ...place, ...(await store.seal(PLAIN, place)) }
  }

  return {
    async verify() {
      await readChecks()
    },
    begin: () =>
      begin().catch((error: unknown) => {
        if (keyFault(error) === 'wrong') throw error
        logger.warn(errorFields(error), 'failed to check the keys of secrets; GET /health checks them again')
      }),
  }
}

/** `wrong`: a key is missing or different, permanently. `unreachable`: the key service failed. Undefined: not a fault of the keys. */
export function keyFault(error: unknown): 'wrong' | 'unreachable' | undefined {
  if (!isUnreadable(error)) return undefined
  return isUnreadable(error.cause) ? 'wrong' : 'unreachable'
}

function isUnreadable(error: unknown): error is EngineError {
  return error instanceof EngineError && error.code === 'secret_unreadable'
}

function firstOf(error: AggregateError): never {
  throw error.errors[0]
}

function insertCheck({ endpointId, scheme, version, secret, keyId }: StoredSecret): SqlText {
  return sqlText`
    insert into keepsend_secrets (endpoint_id, scheme, version, secret, key_id, created_at)
    values (${endpointId}, ${scheme}, ${version}, ${secret}, ${keyId}, ${clock()})
    on conflict (endpoint_id, scheme, version) do nothing`
}
