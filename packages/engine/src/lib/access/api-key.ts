import { ALL_SCOPES, DEFAULT_SCOPES, type Scope } from '../scopes.ts'
import { type ActionDeps, ActionTransaction, BY_OPTION, MAX_BY, targetIn } from '../audit/action.ts'
import { OutboxError } from '@keepsend/outbox'
import { type Row, type SqlText, clock, limitTo, raw, sharedByCopies, sqlText } from '@keepsend/outbox/internal'
import type { InferSelectModel } from 'drizzle-orm/table'
import { v7 } from 'uuid'
import { isApiKey, newApiKey } from './api-key-text.ts'
import {
  API_KEY_LIST_OPTIONS,
  API_KEY_OPTIONS,
  API_KEY_ROTATE_OPTIONS,
  type ApiKey,
  type IdempotentApiKeys,
  MAX_KEY_NAME,
  MAX_KEY_OVERLAP_MS,
  type Principal,
} from './api-keys.ts'
import { asKeyLimit, guardKeyCount, lockKeys } from './api-key-limit.ts'
import { jsonRow, readRow } from '../idempotency/idempotent-change.ts'
import { EngineError, checkBounds, checkNames } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { errorFields } from '../logger.ts'
import type { Pepper } from '../secrets/pepper.ts'
import { apiKeyRows } from '../codecs.ts'
import type { apiKeys } from '../sqlite/tables.ts'
import { characters } from '../formats/characters.ts'
import { parseStored } from '../formats/stored-json.ts'
import { checkWorkspaceId, isWorkspaceId } from '../workspace-id.ts'

const DEFAULT_OVERLAP_MS = 86_400_000
const DEFAULT_LISTED = 100
const MAX_LISTED = 1000
const NOTE_USE_EVERY_MS = 3_600_000
const SHOWN = ['id', 'name', 'scopes', 'createdAt', 'expiresAt', 'lastUsedAt'] as const
const NO_KEY = 'no such API key'
const NOT_VALID = 'no such API key, or it has expired'
const VALID = sqlText`(expires_at is null or expires_at > ${clock()})`

export function createApiKeys(
  deps: ActionDeps & { limits: Pick<Limits, 'apiKeysPerWorkspace'> },
  pepper: Pepper,
): IdempotentApiKeys {
  const { db, logger } = deps
  const { apiKeysPerWorkspace } = deps.limits
  async function find(hash: string | undefined): Promise<(Principal & { id: string; isUnnoted: boolean }) | undefined> {
    if (hash === undefined) return undefined
    const { rows } = await db.run<Row & { isUnnoted: number | boolean }>(sqlText`
      select ${apiKeyRows.some('known', ['id', 'workspaceId', 'scopes'])},
        (last_used_at is null or last_used_at <= ${clock()} - ${NOTE_USE_EVERY_MS}) as "isUnnoted"
      from keepsend_api_keys as known where key_hash = ${hash} and ${VALID}`)
    const [row] = rows
    return row && { ...readKey<'id' | 'workspaceId' | 'scopes'>(row), isUnnoted: Boolean(row.isUnnoted) }
  }

  async function use(id: string): Promise<void> {
    try {
      await db.run(sqlText`
        update keepsend_api_keys set last_used_at = ${clock()}
        where id = ${id} and (last_used_at is null or last_used_at <= ${clock()} - ${NOTE_USE_EVERY_MS})`)
    } catch (error) {
      logger.warn({ apiKeyId: id, ...errorFields(error) }, 'failed to record the use of an API key')
    }
  }

  async function get(workspaceId: string, id: string, isWanted: SqlText, problem: string): Promise<ApiKey> {
    const { rows } = await db.run(sqlText`${selectKey(id)} and workspace_id = ${workspaceId} and ${isWanted}`)
    if (!rows[0]) throw new EngineError('not_found', problem)
    return readKey<keyof ApiKey>(rows[0])
  }

  /** Commits the insert of a key. */
  async function insert(transaction: ActionTransaction, id: string): Promise<ApiKey> {
    const made = transaction.add(selectKey(id))
    transaction.answer(sqlText`select ${jsonRow(db, SHOWN)} from (${selectKey(id)}) as answered`)
    await transaction.commit(db).catch((error: unknown) => {
      throw asKeyLimit(error, apiKeysPerWorkspace)
    })
    if (!made.rows[0]) throw new EngineError('not_found', NOT_VALID)
    return readKey<keyof ApiKey>(made.rows[0])
  }

  return {
    async create({ acting, ...options }) {
      checkNames('apiKeys.create', API_KEY_OPTIONS, options)
      const { workspaceId, name = '', scopes = DEFAULT_SCOPES, expiresInMs, by } = options
      checkWorkspaceId(workspaceId)
      const unknown = scopes.find((scope) => !ALL_SCOPES.includes(scope))
      if (unknown !== undefined) throw invalid(`scopes must be of ${ALL_SCOPES.join(', ')}; found ${unknown}`)
      const found = characters(name)
      if (found > MAX_KEY_NAME) throw invalid(`name must be at most ${MAX_KEY_NAME} characters; found ${found}`)
      // Postgres rejects both.
      if (!name.isWellFormed() || name.includes('\0')) throw invalid('name must be well-formed text without a NUL')
      if (expiresInMs !== undefined && !Number.isSafeInteger(expiresInMs)) {
        throw invalid(`expiresInMs must be a whole number; found ${expiresInMs}`)
      }
      const id = `key_${v7()}`
      const key = newApiKey()
      const expires = expiresInMs === undefined ? sqlText`null` : sqlText`${clock()} + ${expiresInMs}`
      const hash = await pepper.hashNew(key)
      const action = { verb: 'api_key.create', workspaceId, apiKeyId: id } as const
      const transaction = new ActionTransaction(deps, action, { by, acting }).record()
      transaction.addAll(lockKeys(db, workspaceId))
      const guarded = guardKeyCount(workspaceId, apiKeysPerWorkspace, sqlText`${JSON.stringify(scopes)}`)
      transaction.add(sqlText`
        insert into keepsend_api_keys (key_hash, id, workspace_id, name, scopes, created_at, expires_at)
        values (${hash}, ${id}, ${workspaceId}, ${name}, ${guarded}, ${clock()}, ${expires})`)
      return { ...(await insert(transaction, id)), key }
    },

    async list(workspaceId, options = {}) {
      checkWorkspaceId(workspaceId)
      checkNames('apiKeys.list', API_KEY_LIST_OPTIONS, options)
      const { limit = DEFAULT_LISTED, after = '' } = options
      checkBounds('limit', limit, 1, MAX_LISTED)
      const { where, oldestFirst } = db.dialect.ofWorkspace(workspaceId, { after })
      const { rows } = await db.run(sqlText`
        select ${apiKeyRows.some('known', SHOWN)}
        from keepsend_api_keys as known ${db.dialect.by('keepsend_api_keys_workspace')}
        where ${where} order by ${oldestFirst} ${limitTo(limit)}`)
      return rows.map((row) => readKey<keyof ApiKey>(row))
    },

    async revoke(workspaceId, id, { acting, ...options } = {}) {
      checkWorkspaceId(workspaceId)
      checkNames('apiKeys.revoke', BY_OPTION, options)
      await get(workspaceId, id, raw('1 = 1'), NO_KEY)
      const isThis = sqlText`id = ${id} and workspace_id = ${workspaceId}`
      const action = { verb: 'api_key.revoke', workspaceId, apiKeyId: id } as const
      const transaction = new ActionTransaction(deps, action, { ...options, acting })
      transaction.record(targetIn(db, 'keepsend_api_keys', isThis))
      const deleted = transaction.add(sqlText`delete from keepsend_api_keys where ${isThis}`)
      transaction.answer(raw(`'null'`))
      await transaction.commit(db)
      // Another request has deleted it since. Under an `Idempotency-Key` that is the answer which was stored.
      if (deleted.changes === 0 && !acting?.once) throw new EngineError('not_found', NO_KEY)
    },

    async rotate(workspaceId, id, { acting, within, ...options } = {}) {
      checkWorkspaceId(workspaceId)
      checkNames('apiKeys.rotate', API_KEY_ROTATE_OPTIONS, options)
      const { overlapMs = DEFAULT_OVERLAP_MS } = options
      checkBounds('overlapMs', overlapMs, 0, MAX_KEY_OVERLAP_MS)
      const old = await get(workspaceId, id, VALID, NOT_VALID)
      // The scopes of a key never change, so the new one has no others when it is inserted.
      if (within) checkWithin(old.scopes, within)
      const next = `key_${v7()}`
      const key = newApiKey()
      const hash = await pepper.hashNew(key)
      const isThis = sqlText`id = ${id} and workspace_id = ${workspaceId}`
      const action = { verb: 'api_key.rotate', workspaceId, apiKeyId: id, newApiKeyId: next } as const
      const transaction = new ActionTransaction(deps, action, { by: options.by, acting })
      transaction.record(targetIn(db, 'keepsend_api_keys', sqlText`${isThis} and ${VALID}`))
      transaction.addAll(lockKeys(db, workspaceId))
      // Its predecessor expires soon, so a workspace with as many keys as it may have can rotate each of them.
      const guarded = guardKeyCount(workspaceId, 2 * apiKeysPerWorkspace, raw('scopes'))
      transaction.add(sqlText`
          insert into keepsend_api_keys (key_hash, id, workspace_id, name, scopes, created_at, expires_at)
          select cast(${hash} as text), cast(${next} as text), workspace_id, name, ${guarded}, ${clock()}, ${clock()} + expires_at - created_at
          from keepsend_api_keys where ${isThis} and ${VALID}`)
      transaction.add(sqlText`
          update keepsend_api_keys set expires_at = ${clock()} + ${overlapMs}
          where ${isThis} and (expires_at is null or expires_at > ${clock()} + ${overlapMs})`)
      try {
        return { ...(await insert(transaction, next)), key }
      } catch (error) {
        // If the old one was revoked since, there is no new one to store as the answer, which fails the transaction.
        if (acting?.once && !(error instanceof OutboxError)) await get(workspaceId, id, VALID, NOT_VALID)
        throw error
      }
    },

    async authenticate(request) {
      const key = /^bearer (\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
      if (key === undefined || !isApiKey(key)) return undefined
      const row = (await find(await pepper.hash(key))) ?? (await find(await pepper.hashAgain(key)))
      if (!row) return undefined
      const { id, workspaceId, scopes, isUnnoted } = row
      if (isUnnoted) await use(id)
      const principal = { workspaceId, scopes, name: id }
      keyIds().set(principal, id)
      return principal
    },

    deriveSecret: (purpose) => pepper.derive(purpose),
  }
}

/** Reads the stored answer of a creation or a rotation, which does not have the key. */
export function readAnsweredKey(answer: string): ApiKey {
  return readKey<keyof ApiKey>(readRow(SHOWN, answer))
}

/** @throws {EngineError} `forbidden`, naming a scope that is not among those of the caller */
export function checkWithin(wanted: readonly Scope[], own: readonly Scope[]): void {
  const missing = wanted.find((scope) => !own.includes(scope))
  if (missing === undefined) return
  throw new EngineError('forbidden', `this key lacks the scope ${missing}, so it can make no key that has it`)
}

function selectKey(id: string): SqlText {
  return sqlText`select ${apiKeyRows.some('known', SHOWN)} from keepsend_api_keys as known where id = ${id}`
}

// Shared by copies of the package: a host's `authenticate` may call an engine of another copy.
const keyIds = (): WeakMap<object, string> => sharedByCopies('@keepsend/engine keyIds', () => new WeakMap())

/** The id of the API key that a principal came with; undefined for a principal of the host. */
export function keyIdOf(principal: object): string | undefined {
  return keyIds().get(principal)
}

type KeyRow = InferSelectModel<typeof apiKeys>

/** Scopes that were broken by hand are left out, so that the other ones and the list of keys still work. */
function readKey<Name extends keyof KeyRow>(row: Row): Pick<KeyRow, Name> & { scopes: Scope[] } {
  const stored = parseStored(String(row['scopes']))
  const scopes = (Array.isArray(stored) ? stored : []).filter((one): one is Scope => ALL_SCOPES.includes(one as Scope))
  return { ...apiKeyRows.read<Name>({ ...row, scopes: null }), scopes }
}

/**
 * Validates the result of `authenticate`, which may be written in JavaScript: its workspace scopes every statement.
 *
 * @throws {EngineError} `invalid_option`, naming what was found
 */
export function checkPrincipal(found: unknown): Principal {
  const { workspaceId, scopes, name }: { workspaceId?: unknown; scopes?: unknown; name?: unknown } = Object(found)
  if (!isWorkspaceId(workspaceId)) {
    throw invalid(
      `authenticate must return a principal with a workspaceId of 1 to 255 characters; found ${typeof workspaceId}`,
    )
  }
  if (!Array.isArray(scopes) || !scopes.every((scope): scope is Scope => ALL_SCOPES.includes(scope))) {
    throw invalid(
      `authenticate must return a principal whose scopes are a list of ${ALL_SCOPES.join(', ')}; found ${typeof scopes}`,
    )
  }
  if (name !== undefined && (typeof name !== 'string' || characters(name) > MAX_BY)) {
    throw invalid(
      `authenticate must return a principal whose name is a text of at most ${MAX_BY} characters; found ${typeof name}`,
    )
  }
  return { workspaceId, scopes, name }
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_option', message)
}
