import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, limitTo, sqlText } from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'
import { type Logger, errorFields } from '../logger.ts'
import { PEPPER_PLACE } from './pepper.ts'
import type { SecretStore, StoredSecret } from './secret-store.ts'

/** Whether what encrypts secrets can read what is stored. */
export interface KeyCheck {
  /** Looks, and writes nothing. @throws {EngineError} `secret_unreadable`, naming the key */
  verify(): Promise<void>
  /**
   * Looks, and stores a text to check the active key by where there is none yet. A database or a key service that does not
   * answer is logged: it may answer later. Once all is well it does nothing more, for a cron asks each minute.
   *
   * @throws {EngineError} `secret_unreadable`, naming the key that is missing or is another
   */
  begin(): Promise<void>
}

const PLACE = { workspaceId: '', endpointId: 'key_check', scheme: 'check' }
const PLAIN = 'keepsend'
// Processes with different active keys that begin together.
const MAX_TURNS = 10
// A row that was damaged says nothing of the keys as long as another can be read.
const SAMPLE = 10

/**
 * Of each key that was ever the active one a known text is stored among the secrets, encrypted. A process that reads all
 * of them has every key that rows are under; `reencryptSecrets` takes them to the active key like any secret, behind the
 * endpoints', so the check agrees when an old key is taken out. The pepper of the API keys is looked at besides, and
 * secrets of endpoints where nothing was stored to check by.
 */
export function createKeyCheck(db: OutboxDatabase, store: SecretStore, logger: Logger): KeyCheck {
  let isWell = false

  async function look(): Promise<StoredSecret[]> {
    const { rows } = await db.run<StoredSecret>(sqlText`
      select endpoint_id as "endpointId", scheme, version, secret, key_id as "keyId", '' as "workspaceId"
      from keepsend_secrets
      where endpoint_id = ${PLACE.endpointId} or endpoint_id = ${PEPPER_PLACE.endpointId}
      order by endpoint_id, scheme, version`)
    await Promise.all(rows.map(async (row) => store.open(row)))
    return rows.filter(({ scheme }) => scheme === PLACE.scheme)
  }

  async function lookAtEndpoints(): Promise<void> {
    const { rows } = await db.run<StoredSecret>(sqlText`
      select kept.endpoint_id as "endpointId", scheme, kept.version as "version", secret, key_id as "keyId",
        workspace_id as "workspaceId"
      from keepsend_secrets as kept join keepsend_endpoints as endpoint on endpoint.id = kept.endpoint_id ${limitTo(SAMPLE)}`)
    if (rows.length > 0) await Promise.any(rows.map(async (row) => store.open(row))).catch(firstOf)
  }

  async function begin(): Promise<void> {
    if (isWell) return
    let checks = await look()
    if (checks.length === 0) await lookAtEndpoints()
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      isWell = store.keyId === undefined || checks.some(({ keyId }) => keyId === store.keyId)
      if (isWell) return
      await db.run(insertCheck(await seal((checks.at(-1)?.version ?? 0) + 1)))
      // Of two that store one, the first has it, and the other reads it.
      checks = await look()
    }
  }

  async function seal(version: number): Promise<StoredSecret> {
    const place = { ...PLACE, version }
    return { ...place, ...(await store.seal(PLAIN, place)) }
  }

  return {
    async verify() {
      await look()
    },
    begin: () =>
      begin().catch((error: unknown) => {
        if (keyFault(error) === 'wrong') throw error
        logger.warn(errorFields(error), 'the keys of secrets could not be checked; GET /health checks them again')
      }),
  }
}

/** `wrong`: another key, for good. `unreachable`: what keeps the keys failed. Undefined: no fault of the keys. */
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
