import type { OptionNames, OptionsOf } from '@keepsend/outbox/internal'
import { type ActingOption, BY_OPTION, type ByOption } from '../audit/action.ts'
import type { ChangeOptions } from './endpoint-change.ts'
import type { EndSecretOptions } from './end-secret.ts'
import type { EndpointSecret, RotateOptions } from './endpoint-secrets.ts'
import type { Endpoint, EndpointInput } from './endpoint.ts'
import type { EventMatch, UnplacedEvent } from './match-event.ts'
import { BACKGROUND_OPTIONS, type BackgroundOption } from '../publish/dispatch.ts'
import type { PauseOptions } from '../backlog/pause.ts'
import type { WorkspaceScope } from '../workspace-id.ts'

/** The endpoints of all workspaces. Each method sees only those of its workspace; others are `not_found`. */
export interface EndpointStore {
  /**
   * `secret` is the key that the receiver verifies the first of `signatures` with; for `v1a` the public key.
   *
   * @throws {EngineError} `conflict` if another endpoint of the workspace has the `uid`; `too_many_endpoints`
   */
  create(workspaceId: string, input: EndpointInput, options?: ByOption): Promise<{ endpoint: Endpoint; secret: string }>
  get(workspaceId: string, id: string): Promise<Endpoint>
  /** The endpoint with your own id. */
  getByUid(workspaceId: string, uid: string): Promise<Endpoint>
  /**
   * Changes the endpoint with your own id, or creates it if there is none: of several concurrent calls one creates it, and the
   * others change it. A change writes the properties that are given. A repeat with the same properties changes nothing but
   * `version`.
   *
   * @throws {EngineError} `precondition_failed` when its version is not `ifVersion`, or there is no such endpoint;
   *   `too_many_endpoints`
   * @example
   * const { endpoint, isNew, secret } = await engine.endpoints.upsert('w1', 'crm-4711', { url: 'https://example.com/hooks' })
   */
  upsert(workspaceId: string, uid: string, input: UpsertInput, options?: ChangeOptions): Promise<UpsertResult>
  /** Those of these 1–1,000 endpoints that exist, in no order, in one statement. Their workspaces are `workspaceId`, or any. */
  getMany(workspaceId: WorkspaceScope, ids: readonly string[]): Promise<Endpoint[]>
  /** Oldest first: `limit` (1–1,000) endpoints after the id `after`, of one workspace or of all. */
  list(workspaceId: WorkspaceScope, options: { limit: number; after?: string | undefined }): Promise<Endpoint[]>
  /**
   * Writes only the properties that are given, so that concurrent changes of other properties are not lost.
   *
   * @throws {EngineError} `precondition_failed` when the endpoint's version is not `ifVersion`
   */
  update(
    workspaceId: string,
    id: string,
    change: OptionsOf<Omit<EndpointInput, 'secret'>>,
    options?: ChangeOptions,
  ): Promise<Endpoint>
  /**
   * Fails held deliveries as `endpoint_gone`: the first 500 in the same commit, the others in maintenance. Pending ones fail
   * when they are claimed.
   */
  delete(workspaceId: string, id: string, options?: ChangeOptions): Promise<void>
  /**
   * Enabling closes the circuit, ends a pause and resumes held deliveries in batches; disabling holds those that exist and
   * those that are published.
   */
  setStatus(workspaceId: string, id: string, status: Endpoint['status'], options?: StateOptions): Promise<Endpoint>
  /**
   * Until the pause ends no attempt begins and deliveries are held; attempts in flight finish. A longer pause that a person
   * or the receiver requested stays in force.
   *
   * @throws {EngineError} `invalid_option` for `forMs` out of its bounds
   */
  pause(workspaceId: string, id: string, options?: PauseOptions): Promise<Endpoint>
  /** Ends the pause, whether a person or the receiver requested it, and resumes held deliveries in batches. The circuit stays as it is. */
  resume(workspaceId: string, id: string, options?: StateOptions): Promise<Endpoint>
  /**
   * Makes a new secret; older ones sign beside it for `overlapMs` and then expire. At most ten of a scheme are active: an
   * eleventh is refused as `conflict`, because dropping the oldest would break receivers that still use it.
   */
  rotateSecret(workspaceId: string, id: string, options?: RotateOptions): Promise<EndpointSecret>
  /**
   * Ends an old secret before its time: it signs no further request.
   *
   * @throws {EngineError} `not_found` if no active secret has this version, `conflict` for the current one
   */
  endSecret(workspaceId: string, id: string, options: EndSecretOptions): Promise<void>
  /**
   * Whether the endpoint would get this event, and if not, which of its types, channels and filter is the reason. Publishes nothing.
   *
   * @throws {EngineError} the codes of an invalid event
   */
  matchEvent(workspaceId: string, id: string, event: UnplacedEvent): Promise<EventMatch>
  /** The active secrets, by scheme, the newest first. To show them to a person use {@link revealSecrets}. */
  secrets(workspaceId: string, id: string): Promise<EndpointSecret[]>
  /** The active secrets, as {@link secrets}, for a person: the audit records that they were read. */
  revealSecrets(workspaceId: string, id: string, options?: ByOption): Promise<EndpointSecret[]>
}

/** Options of enabling, disabling and resuming an endpoint. */
export interface StateOptions extends BackgroundOption, ByOption {}

export const STATE_OPTIONS = { ...BACKGROUND_OPTIONS, ...BY_OPTION } satisfies OptionNames<StateOptions>

/** The `uid` is given beside them. A secret of your own can be given to `create` alone. */
export type UpsertInput = Omit<EndpointInput, 'uid' | 'secret'>

export interface UpsertResult {
  endpoint: Endpoint
  /** Whether this call created it. */
  isNew: boolean
  /** Only of a new one: the key that its receiver verifies with. */
  secret?: string | undefined
}

/** The endpoints without the methods that find one by its uid. */
export type EndpointsById = Omit<IdempotentEndpointStore, 'getByUid' | 'upsert'>

export const ENDPOINT_LIST_OPTIONS = { limit: 'number', after: 'text' } satisfies OptionNames<
  Parameters<EndpointStore['list']>[1]
>

/** The store that the routes use: with `acting` a repeated request makes its change only once. */
export interface IdempotentEndpointStore extends EndpointStore {
  create(
    workspaceId: string,
    input: EndpointInput,
    options?: ByOption & ActingOption,
  ): Promise<{ endpoint: Endpoint; secret: string }>
  update(
    workspaceId: string,
    id: string,
    change: OptionsOf<Omit<EndpointInput, 'secret'>>,
    options?: ChangeOptions & ActingOption,
  ): Promise<Endpoint>
  /** @param options.mustExist changes an endpoint that exists, and creates none */
  upsert(
    workspaceId: string,
    uid: string,
    input: UpsertInput,
    options?: ChangeOptions & ActingOption & { mustExist?: boolean | undefined },
  ): Promise<UpsertResult>
  delete(workspaceId: string, id: string, options?: ChangeOptions & ActingOption): Promise<void>
  setStatus(
    workspaceId: string,
    id: string,
    status: Endpoint['status'],
    options?: StateOptions & ActingOption,
  ): Promise<Endpoint>
  pause(workspaceId: string, id: string, options?: PauseOptions & ActingOption): Promise<Endpoint>
  resume(workspaceId: string, id: string, options?: StateOptions & ActingOption): Promise<Endpoint>
  rotateSecret(workspaceId: string, id: string, options?: RotateOptions & ActingOption): Promise<EndpointSecret>
}
