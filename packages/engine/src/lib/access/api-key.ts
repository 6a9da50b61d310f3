import { ALL_SCOPES, SCOPES, type Scope } from '../scopes.ts'
import { type OutboxDatabase, Transaction } from '@keepsend/outbox'
import { type OptionNames, type Row, clock, limitTo, sharedByCopies, sqlText } from '@keepsend/outbox/internal'
import type { InferSelectModel } from 'drizzle-orm/table'
import { v7 } from 'uuid'
import { isApiKey, newApiKey } from './api-key-text.ts'
import { EngineError, checkBounds, checkNames } from '../errors.ts'
import { type Logger, errorFields } from '../logger.ts'
import type { Pepper } from '../secrets/pepper.ts'
import { apiKeyRows } from '../codecs.ts'
import type { apiKeys } from '../sqlite/tables.ts'
import { parseStored } from '../formats/stored-json.ts'
import { checkWorkspaceId, isWorkspaceId } from '../workspace-id.ts'

/** The caller's workspace and what the caller may do there. */
export interface Principal {
  workspaceId: string
  scopes: readonly Scope[]
}

/**
 * Finds the principal of a request; undefined: unauthenticated. A host with its own sessions brings its own function.
 * The workspace of the principal scopes every statement, whatever the request contains. A principal with the scope
 * `workspaces:read` reads every workspace: give that to operators alone, and return `SCOPES` or less for a tenant.
 */
export type Authenticate = (request: Request) => Promise<Principal | undefined>

/** An API key as it is listed, without the key itself. Times are milliseconds since the epoch. */
export interface ApiKey {
  id: string
  name: string
  scopes: Scope[]
  createdAt: number
  /** Null: it does not expire. */
  expiresAt: number | null
  /** Updated at most once an hour; null: never used. */
  lastUsedAt: number | null
}

export interface ApiKeyOptions {
  workspaceId: string
  /** At most 200 characters. @default '' */
  name?: string | undefined
  /** `workspaces:read` only if it is named, never for a tenant. @default every scope within the workspace: `SCOPES` */
  scopes?: readonly Scope[] | undefined
  /** @default it does not expire */
  expiresInMs?: number | undefined
}

export const API_KEY_OPTIONS = {
  workspaceId: 'text',
  name: 'text',
  scopes: 'texts',
  expiresInMs: 'number',
} satisfies OptionNames<ApiKeyOptions>

/** API keys of workspaces. A key is shown once; the table holds an HMAC of it. */
export interface ApiKeys {
  create(options: ApiKeyOptions): Promise<{ id: string; key: string }>
  /** Oldest first, expired ones included: `limit` (1–1,000, default 100) keys after the id `after`. */
  list(workspaceId: string, options?: { limit?: number | undefined; after?: string | undefined }): Promise<ApiKey[]>
  revoke(workspaceId: string, id: string): Promise<void>
  /**
   * Makes a new key with the name, scopes and lifetime of an old one, which stays valid for at most `overlapMs` more:
   * 0–604,800,000 ms, default 24 h.
   *
   * @throws {EngineError} `not_found` for a key that does not exist or has expired
   */
  rotate(
    workspaceId: string,
    id: string,
    options?: { overlapMs?: number | undefined },
  ): Promise<{ id: string; key: string }>
  /** The principal of a `Bearer` key. A key with a wrong checksum is refused without a database query. */
  authenticate: Authenticate
}

export const API_KEY_LIST_OPTIONS = { limit: 'number', after: 'text' } satisfies OptionNames<
  Parameters<ApiKeys['list']>[1]
>

export const API_KEY_ROTATE_OPTIONS = { overlapMs: 'number' } satisfies OptionNames<Parameters<ApiKeys['rotate']>[2]>

const DEFAULT_OVERLAP_MS = 86_400_000
const MAX_OVERLAP_MS = 604_800_000
const MAX_NAME = 200
const DEFAULT_LISTED = 100
const MAX_LISTED = 1000
const NOTE_USE_EVERY_MS = 3_600_000
const SHOWN = ['id', 'name', 'scopes', 'createdAt', 'expiresAt', 'lastUsedAt'] as const
const VALID = sqlText`(expires_at is null or expires_at > ${clock()})`

export function createApiKeys(db: OutboxDatabase, pepper: Pepper, logger: Logger): ApiKeys {
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

  return {
    async create(options) {
      checkNames('apiKeys.create', API_KEY_OPTIONS, options)
      const { workspaceId, name = '', scopes = SCOPES, expiresInMs } = options
      checkWorkspaceId(workspaceId)
      const unknown = scopes.find((scope) => !ALL_SCOPES.includes(scope))
      if (unknown !== undefined) throw invalid(`scopes must be of ${ALL_SCOPES.join(', ')}; found ${unknown}`)
      if (name.length > MAX_NAME) throw invalid(`name must be at most ${MAX_NAME} characters; found ${name.length}`)
      if (expiresInMs !== undefined && !Number.isSafeInteger(expiresInMs)) {
        throw invalid(`expiresInMs must be a whole number; found ${expiresInMs}`)
      }
      const id = `key_${v7()}`
      const key = newApiKey()
      const expires = expiresInMs === undefined ? sqlText`null` : sqlText`${clock()} + ${expiresInMs}`
      await db.run(sqlText`
        insert into keepsend_api_keys (key_hash, id, workspace_id, name, scopes, created_at, expires_at)
        values (${await pepper.hashNew(key)}, ${id}, ${workspaceId}, ${name}, ${JSON.stringify(scopes)}, ${clock()}, ${expires})`)
      return { id, key }
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

    async revoke(workspaceId, id) {
      checkWorkspaceId(workspaceId)
      const { changes } = await db.run(
        sqlText`delete from keepsend_api_keys where id = ${id} and workspace_id = ${workspaceId}`,
      )
      if (changes === 0) throw new EngineError('not_found', 'no such API key')
    },

    async rotate(workspaceId, id, options = {}) {
      checkWorkspaceId(workspaceId)
      checkNames('apiKeys.rotate', API_KEY_ROTATE_OPTIONS, options)
      const { overlapMs = DEFAULT_OVERLAP_MS } = options
      checkBounds('overlapMs', overlapMs, 0, MAX_OVERLAP_MS)
      const next = `key_${v7()}`
      const key = newApiKey()
      const hash = await pepper.hashNew(key)
      const transaction = new Transaction()
      const inserted = transaction.add(sqlText`
          insert into keepsend_api_keys (key_hash, id, workspace_id, name, scopes, created_at, expires_at)
          select cast(${hash} as text), cast(${next} as text), workspace_id, name, scopes, ${clock()}, ${clock()} + expires_at - created_at
          from keepsend_api_keys where id = ${id} and workspace_id = ${workspaceId} and ${VALID}`)
      transaction.add(sqlText`
          update keepsend_api_keys set expires_at = ${clock()} + ${overlapMs}
          where id = ${id} and workspace_id = ${workspaceId} and (expires_at is null or expires_at > ${clock()} + ${overlapMs})`)
      await transaction.commit(db)
      if (inserted.changes !== 1) throw new EngineError('not_found', 'no such API key, or it has expired')
      return { id: next, key }
    },

    async authenticate(request) {
      const key = /^bearer (\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
      if (key === undefined || !isApiKey(key)) return undefined
      const row = (await find(await pepper.hash(key))) ?? (await find(await pepper.hashAgain(key)))
      if (!row) return undefined
      const { id, workspaceId, scopes, isUnnoted } = row
      if (isUnnoted) await use(id)
      const principal = { workspaceId, scopes }
      keyIds().set(principal, id)
      return principal
    },
  }
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
  const { workspaceId, scopes }: { workspaceId?: unknown; scopes?: unknown } = Object(found)
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
  return { workspaceId, scopes }
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_option', message)
}
