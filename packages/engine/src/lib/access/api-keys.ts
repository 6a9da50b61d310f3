import type { OptionNames } from '@keepsend/outbox/internal'
import { type ActingOption, BY_OPTION, type ByOption } from '../audit/action.ts'
import type { Scope } from '../scopes.ts'

/** The caller's workspace and what the caller may do there. */
export interface Principal {
  workspaceId: string
  scopes: readonly Scope[]
  /** Who it is, for the audit: at most 200 characters, such as the id of a user. The id of the key where it is an API key. */
  name?: string | undefined
}

/**
 * Finds the principal of a request; undefined: unauthenticated. A host with its own sessions brings its own function.
 * The workspace of the principal scopes every statement, whatever the request contains. A principal with the scope
 * `workspaces:read` or `workspaces:export` reads every workspace: give them to operators alone, and return `SCOPES` or less for a tenant.
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

/** A new API key, and the key itself, which is shown once. */
export interface NewApiKey extends ApiKey {
  key: string
}

export interface ApiKeyOptions extends ByOption {
  workspaceId: string
  /** At most 200 characters of well-formed text without a NUL. @default '' */
  name?: string | undefined
  /**
   * `keys:write` and those of `OPERATOR_SCOPES` only if they are named, the latter never for a tenant.
   *
   * @default every other scope within the workspace: `SCOPES` without `keys:write`
   */
  scopes?: readonly Scope[] | undefined
  /** @default it does not expire */
  expiresInMs?: number | undefined
}

export const API_KEY_OPTIONS = {
  workspaceId: 'text',
  name: 'text',
  scopes: 'texts',
  expiresInMs: 'number',
  ...BY_OPTION,
} satisfies OptionNames<ApiKeyOptions>

/** API keys of workspaces. A key is shown once; the table holds an HMAC of it. */
export interface ApiKeys {
  /** @throws {EngineError} `too_many_api_keys`, beyond `limits.apiKeysPerWorkspace` */
  create(options: ApiKeyOptions): Promise<NewApiKey>
  /** Oldest first, expired ones included: `limit` (1–1,000, default 100) keys after the id `after`. */
  list(workspaceId: string, options?: { limit?: number | undefined; after?: string | undefined }): Promise<ApiKey[]>
  revoke(workspaceId: string, id: string, options?: ByOption): Promise<void>
  /**
   * Makes a new key with the name, scopes and lifetime of an old one, which stays valid for at most `overlapMs` more:
   * 0–604,800,000 ms, default 24 h.
   *
   * @throws {EngineError} `not_found` for a key that does not exist or has expired; `too_many_api_keys`, beyond twice
   *   `limits.apiKeysPerWorkspace`
   */
  rotate(workspaceId: string, id: string, options?: ByOption & { overlapMs?: number | undefined }): Promise<NewApiKey>
  /** The principal of a `Bearer` key. A key with a wrong checksum is refused without a database query. */
  authenticate: Authenticate
  /**
   * Derives a secret of the installation for one purpose from the pepper of the keys: 64 hex digits, the same in every process. Makes
   * the pepper if there is none. Purposes that begin with `keepsend ` are those of Keepsend's own packages: choose another.
   *
   * @throws {EngineError} `invalid_option` for a purpose that is empty; `secret_unreadable` if the pepper cannot be decrypted
   * @example
   * const secret = await engine.apiKeys.deriveSecret('session cookies')
   */
  deriveSecret(purpose: string): Promise<string>
}

/** The keys for the routes: with `acting` a repeated request makes its change only once. */
export interface IdempotentApiKeys extends ApiKeys {
  create(options: ApiKeyOptions & ActingOption): Promise<NewApiKey>
  revoke(workspaceId: string, id: string, options?: ByOption & ActingOption): Promise<void>
  /**
   * @param options.within the scopes of the caller
   * @throws {EngineError} `forbidden` for a key with a scope that is not among them
   */
  rotate(
    workspaceId: string,
    id: string,
    options?: ByOption & ActingOption & { overlapMs?: number | undefined; within?: readonly Scope[] | undefined },
  ): Promise<NewApiKey>
}

export const API_KEY_LIST_OPTIONS = { limit: 'number', after: 'text' } satisfies OptionNames<
  Parameters<ApiKeys['list']>[1]
>

export const API_KEY_ROTATE_OPTIONS = { overlapMs: 'number', ...BY_OPTION } satisfies OptionNames<
  Parameters<ApiKeys['rotate']>[2]
>

export const MAX_KEY_NAME = 200
export const MAX_KEY_OVERLAP_MS = 604_800_000
