import { type OutboxDatabase, clock, sqlText } from '@keepsend/outbox'
import { v7 } from 'uuid'
import { EngineError } from './errors.ts'
import { sha256Hex } from './sign.ts'

/** What a credential may do. */
export type Scope = (typeof SCOPES)[number]

/** Every scope, in the order of the API. `secrets:read` reveals signing secrets and is no part of `endpoints:read`. */
export const SCOPES = [
  'events:read',
  'events:write',
  'endpoints:read',
  'endpoints:write',
  'secrets:read',
  'deliveries:read',
  'deliveries:write',
] as const

/** Who is asking, and for which workspace. */
export interface Principal {
  workspaceId: string
  scopes: readonly Scope[]
}

/**
 * Says who a request comes from; undefined: nobody known. A host that has its own sessions brings its own.
 * The workspace of the answer scopes every statement, whatever the request says.
 */
export type Authenticate = (request: Request) => Promise<Principal | undefined>

/** API keys of workspaces. A key is shown once; the table holds its SHA-256. */
export interface ApiKeys {
  create(options: {
    workspaceId: string
    name?: string
    scopes?: readonly Scope[]
    expiresInMs?: number
  }): Promise<{ id: string; key: string }>
  list(
    workspaceId: string,
  ): Promise<{ id: string; name: string; scopes: Scope[]; createdAt: number; expiresAt: number | null }[]>
  revoke(workspaceId: string, id: string): Promise<void>
  /** The principal of a `Bearer` key. */
  authenticate: Authenticate
}

const PREFIX = 'ks_'

export function createApiKeys(db: OutboxDatabase): ApiKeys {
  return {
    async create({ workspaceId, name = '', scopes = SCOPES, expiresInMs }) {
      const unknown = scopes.find((scope) => !SCOPES.includes(scope))
      if (unknown !== undefined)
        throw new EngineError('invalid_option', `scopes must be of ${SCOPES.join(', ')}; found ${unknown}`)
      const id = `key_${v7()}`
      const key = PREFIX + base64Url(crypto.getRandomValues(new Uint8Array(32)))
      const expires = expiresInMs === undefined ? sqlText`null` : sqlText`${clock()} + ${expiresInMs}`
      await db.run(sqlText`
        insert into keepsend_api_keys (key_hash, id, workspace_id, name, scopes, created_at, expires_at)
        values (${await sha256Hex(key)}, ${id}, ${workspaceId}, ${name}, ${JSON.stringify(scopes)}, ${clock()}, ${expires})`)
      return { id, key }
    },

    async list(workspaceId) {
      const { rows } = await db.run(sqlText`
        select id, name, scopes, created_at as "createdAt", expires_at as "expiresAt" from keepsend_api_keys
        where workspace_id = ${workspaceId} order by id`)
      return rows.map((row) => ({ ...row, scopes: JSON.parse(String(row['scopes'])) })) as Awaited<
        ReturnType<ApiKeys['list']>
      >
    },

    async revoke(workspaceId, id) {
      const { changes } = await db.run(
        sqlText`delete from keepsend_api_keys where id = ${id} and workspace_id = ${workspaceId}`,
      )
      if (changes === 0) throw new EngineError('not_found', 'no such API key')
    },

    async authenticate(request) {
      const key = /^bearer (ks_[A-Za-z0-9_-]{43})$/i.exec(request.headers.get('authorization') ?? '')?.[1]
      if (key === undefined) return undefined
      const { rows } = await db.run(sqlText`
        select workspace_id, scopes from keepsend_api_keys
        where key_hash = ${await sha256Hex(key)} and (expires_at is null or expires_at > ${clock()})`)
      const [row] = rows
      return row && { workspaceId: String(row['workspace_id']), scopes: JSON.parse(String(row['scopes'])) as Scope[] }
    },
  }
}

function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')
}
