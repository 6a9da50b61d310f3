import type { OptionNames, OptionsOf } from '@keepsend/outbox/internal'
import type { ChangeOptions } from './endpoint-change.ts'
import type { EndpointSecret, RotateOptions } from './endpoint-secrets.ts'
import type { Endpoint, EndpointInput } from './endpoint.ts'
import type { BackgroundOption } from '../publish/dispatch.ts'
import type { IdempotentOption } from '../idempotency/idempotent-change.ts'
import type { PauseOptions } from '../backlog/pause.ts'

/** The endpoints of every workspace. Each method is scoped: another workspace's endpoint does not exist for it. */
export interface EndpointStore {
  /** `secret` is what the receiver verifies the first of `signatures` with: for `v1a` the public key. */
  create(workspaceId: string, input: EndpointInput): Promise<{ endpoint: Endpoint; secret: string }>
  get(workspaceId: string, id: string): Promise<Endpoint>
  /** Oldest first: `limit` (1–1,000) of those behind the id `after`. */
  list(workspaceId: string, options: { limit: number; after?: string | undefined }): Promise<Endpoint[]>
  /**
   * Writes what it is given and nothing else, so that two changes at the same time both stand.
   *
   * @throws {EngineError} `precondition_failed` when the endpoint has another version than `ifVersion`
   */
  update(
    workspaceId: string,
    id: string,
    change: OptionsOf<Omit<EndpointInput, 'secret'>>,
    options?: ChangeOptions,
  ): Promise<Endpoint>
  /**
   * Its held deliveries fail as `endpoint_gone`: the first 500 in the same commit, the others by maintenance. Pending ones do
   * when they are next claimed.
   */
  delete(workspaceId: string, id: string, options?: ChangeOptions): Promise<void>
  /**
   * Enabling closes the circuit, ends a pause and lets out what was held, batch by batch; disabling holds what is there and
   * what is published.
   */
  setStatus(workspaceId: string, id: string, status: Endpoint['status'], options?: BackgroundOption): Promise<Endpoint>
  /**
   * No attempt begins before the pause ends, and deliveries are held; attempts in flight end. A pause that lasts longer,
   * because a person or the receiver asked for it, stands.
   *
   * @throws {EngineError} `invalid_option` for `forMs` out of its bounds
   */
  pause(workspaceId: string, id: string, options?: PauseOptions): Promise<Endpoint>
  /** Ends the pause, whoever asked for it, and resumes what was held, batch by batch. The circuit stays as it is. */
  resume(workspaceId: string, id: string, options?: BackgroundOption): Promise<Endpoint>
  /**
   * A new secret; the ones before sign beside it for `overlapMs`, and end by themselves. At most ten of a scheme sign at
   * once: one more is refused as `conflict`, because dropping the oldest would break who still goes by it.
   */
  rotateSecret(workspaceId: string, id: string, options?: RotateOptions): Promise<EndpointSecret>
  /** The secrets that sign now, by scheme and the newest first. */
  secrets(workspaceId: string, id: string): Promise<EndpointSecret[]>
}

export const ENDPOINT_LIST_OPTIONS = { limit: 'number', after: 'text' } satisfies OptionNames<
  Parameters<EndpointStore['list']>[1]
>

/** The store as the routes have it: a change that is given {@link Once} is made once. */
export interface IdempotentEndpointStore extends EndpointStore {
  create(
    workspaceId: string,
    input: EndpointInput,
    options?: IdempotentOption,
  ): Promise<{ endpoint: Endpoint; secret: string }>
  update(
    workspaceId: string,
    id: string,
    change: OptionsOf<Omit<EndpointInput, 'secret'>>,
    options?: ChangeOptions & IdempotentOption,
  ): Promise<Endpoint>
  delete(workspaceId: string, id: string, options?: ChangeOptions & IdempotentOption): Promise<void>
  setStatus(
    workspaceId: string,
    id: string,
    status: Endpoint['status'],
    options?: BackgroundOption & IdempotentOption,
  ): Promise<Endpoint>
  pause(workspaceId: string, id: string, options?: PauseOptions & IdempotentOption): Promise<Endpoint>
  resume(workspaceId: string, id: string, options?: BackgroundOption & IdempotentOption): Promise<Endpoint>
  rotateSecret(workspaceId: string, id: string, options?: RotateOptions & IdempotentOption): Promise<EndpointSecret>
}
