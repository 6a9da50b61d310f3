import { type OutboxDatabase, OutboxError } from '@keepsend/outbox'
import { type SqlText, clock, joined, limitTo, raw, sqlText } from '@keepsend/outbox/internal'
import { v7 } from 'uuid'
import { ActionTransaction, BY_OPTION, targetIn } from '../audit/action.ts'
import type { CatalogVersions } from '../catalog/catalog-versions.ts'
import type { CheckUrl } from '../url-policy/check-url.ts'
import { ENDPOINT_LIST_OPTIONS, type EndpointsById } from './endpoint-store-api.ts'
import { checkCredentials, sealCredentials } from './endpoint-credentials.ts'
import { sealHeaders } from './endpoint-headers.ts'
import { END_SECRET_OPTIONS, endSecret } from './end-secret.ts'
import { ROTATE_OPTIONS, createEndpointSecrets } from './endpoint-secrets.ts'
import { checkEndpoint } from './check-endpoint.ts'
import { checkEventVersion } from './event-version.ts'
import { asUidTaken } from './endpoint-uid.ts'
import type { Endpoint } from './endpoint.ts'
import { EngineError, checkBounds, checkNames } from '../errors.ts'
import type { BackgroundOption } from '../publish/dispatch.ts'
import { resetHealth } from '../health/circuit-breaker.ts'
import { asSameName, checkDistinct, headerNamesOf, namesHeaders, refuseSameNameStatement } from './header-names.ts'
import { CHANGE_OPTIONS, changeOf } from './endpoint-change.ts'
import { type BeginAction, type CommitAction, type EndpointKey, createEndpointStates } from './endpoint-state.ts'
import { matchEvent } from './match-event.ts'
import { failOrphansStatement } from '../backlog/orphans.ts'
import {
  SHOWN_COLUMNS,
  attemptsOf,
  columnsOf,
  filterText,
  scheduleText,
  selectShown,
  subscribe,
  toEndpoint,
  unsubscribe,
} from './endpoint-columns.ts'
import { asLimit, checkSubscriptions } from './endpoint-limits.ts'
import type { Limits } from '../limits.ts'
import type { Logger } from '../logger.ts'
import { lockedEndpointsOf } from '../backlog/locks.ts'
import type { SecretStore } from '../secrets/secret-store.ts'
import { checkWorkspaceId, readScope } from '../workspace-id.ts'

interface EndpointStoreSettings {
  logger: Logger
  defaultAttempts: number
  maxAgeMs: number
  limits: Limits
  /** Whether the sender supports client certificates and private authorities. */
  canUseTls: boolean
  versions: CatalogVersions | undefined
}

/**
 * @param onChange gets every endpoint that changed, to drop it from caches
 * @param resumeHeld resumes the first batch of the deliveries that an endpoint held
 */
export function createEndpointStore(
  db: OutboxDatabase,
  secretStore: SecretStore,
  checkUrl: CheckUrl,
  { logger, defaultAttempts, maxAgeMs, limits, canUseTls, versions }: EndpointStoreSettings,
  onChange: (id: string, workspaceId: string) => void,
  resumeHeld: (id: string, background: BackgroundOption['background']) => Promise<void>,
): EndpointsById {
  const deps = { db, logger }
  const endpointSecrets = createEndpointSecrets(deps, secretStore)

  const targetOf = ({ workspaceId, id }: EndpointKey): SqlText =>
    targetIn(db, 'keepsend_endpoints', sqlText`id = ${id} and workspace_id = ${workspaceId}`)

  const begin: BeginAction = ({ workspaceId, id }, verb, options) =>
    new ActionTransaction(deps, { verb, workspaceId, endpointId: id }, options).record(targetOf({ workspaceId, id }))

  const commit: CommitAction = async (endpoint, change, acting) => {
    try {
      await change.commit(db)
    } catch (failure) {
      const error = await asUidTaken(db, endpoint, asSameName(asLimit(failure, limits)))
      // An endpoint that was deleted meanwhile has no answer to store: `get` throws `not_found`.
      if (acting?.once && !(error instanceof OutboxError)) await get(endpoint.workspaceId, endpoint.id)
      throw error
    }
    onChange(endpoint.id, endpoint.workspaceId)
  }

  async function get(workspaceId: string, id: string): Promise<Endpoint> {
    checkWorkspaceId(workspaceId)
    const { rows } = await db.run(
      sqlText`select ${SHOWN_COLUMNS} from keepsend_endpoints as endpoint where id = ${id} and workspace_id = ${workspaceId}`,
    )
    if (!rows[0]) throw new EngineError('not_found', 'no such endpoint')
    return toEndpoint(rows[0])
  }

  return {
    get,

    async create(workspaceId, input, { acting, ...options } = {}) {
      checkNames('endpoints.create', BY_OPTION, options)
      checkWorkspaceId(workspaceId)
      checkEndpoint(input, checkUrl, maxAgeMs)
      checkEventVersion(input, versions)
      checkCredentials(input, { checkUrl, canUseTls })
      const id = `ep_${v7()}`
      const { url, description = '', eventTypes = ['*'], channels = [], retrySchedule, deadlineMs = null } = input
      checkSubscriptions({ eventTypes, channels }, limits)
      const names = headerNamesOf(input)
      checkDistinct(names)
      const { retryStatuses = [], signatures = ['v1'] } = input
      const { concurrency = null, rateLimit = null, ratePeriod = 'second', uid = null, metadata = {} } = input
      const secrets = await endpointSecrets.first({ workspaceId, id }, { ...input, signatures })
      const headers = await sealHeaders(input.headers ?? {})
      const headerKey = await endpointSecrets.headerKey({ workspaceId, id }, headers)
      const credentials = await sealCredentials({ db, store: secretStore }, { workspaceId, id }, input)
      const action = { verb: 'endpoint.create', workspaceId, endpointId: id } as const
      const transaction = new ActionTransaction(deps, action, { ...options, acting }).record()
      transaction.add(sqlText`
          insert into keepsend_endpoints (id, workspace_id, url, description, event_types, channels, retry_schedule,
            max_attempts, deadline_ms, headers, retry_statuses, signatures, compat_header, compat_format,
            event_type_header, filter, concurrency, rate_limit, rate_period, auth, tls, uid, metadata, event_version, created_at, updated_at)
          values (${id}, ${workspaceId}, ${lockedEndpointsOf(db, workspaceId, url)}, ${description}, ${JSON.stringify(eventTypes)}, ${JSON.stringify(channels)},
            ${scheduleText(retrySchedule)}, ${attemptsOf(retrySchedule, defaultAttempts)}, ${deadlineMs},
            ${headers.column}, ${JSON.stringify(retryStatuses)}, ${JSON.stringify(signatures)},
            ${names.compatHeader}, ${input.compatSignature?.format ?? 'timestamped'}, ${names.eventTypeHeader},
            ${filterText(input.filter)}, ${concurrency}, ${rateLimit}, ${ratePeriod}, ${credentials.columns.auth ?? null},
            ${credentials.columns.tls ?? null}, ${uid}, ${JSON.stringify(metadata)}, ${input.eventVersion ?? versions?.newest ?? null}, ${clock()}, ${clock()})`)
      transaction.add(subscribe(db, { workspaceId, id, isNew: true }, limits))
      transaction.addAll([...secrets.map(({ statement }) => statement), ...headerKey, ...credentials.statements])
      transaction.answer(selectShown(db, { workspaceId, id }))
      await transaction.commit(db).catch(async (error: unknown) => {
        throw await asUidTaken(db, { workspaceId, id, uid }, asLimit(error, limits))
      })
      onChange(id, workspaceId)
      return { endpoint: await get(workspaceId, id), secret: secrets[0]?.shown ?? '' }
    },

    async getMany(scope, ids) {
      const workspaceId = readScope(scope)
      checkBounds('the number of ids', ids.length, 1, 1000)
      const listed = db.dialect.rows('listed', ids, { id: ['text', (id) => id] })
      const own = workspaceId === undefined ? raw('') : sqlText`and endpoint.workspace_id = ${workspaceId}`
      const { rows } = await db.run(sqlText`
        select ${SHOWN_COLUMNS} from keepsend_endpoints as endpoint
        where endpoint.id ${db.dialect.among(sqlText`select listed.id from ${listed}`)} ${own}`)
      return rows.map(toEndpoint)
    },

    async list(scope, options) {
      checkNames('endpoints.list', ENDPOINT_LIST_OPTIONS, options)
      const { limit, after = '' } = options
      const workspaceId = readScope(scope)
      checkBounds('limit', limit, 1, 1000)
      const of = workspaceId === undefined ? undefined : db.dialect.ofWorkspace(workspaceId, { after })
      const { rows } = await db.run(sqlText`
        select ${SHOWN_COLUMNS} from keepsend_endpoints as endpoint ${of ? db.dialect.by('keepsend_endpoints_workspace') : raw('')}
        where ${of?.where ?? sqlText`endpoint.id > ${after}`} order by ${of?.oldestFirst ?? raw('endpoint.id')} ${limitTo(limit)}`)
      return rows.map(toEndpoint)
    },

    async update(workspaceId, id, input, { acting, ...options } = {}) {
      checkNames('endpoints.update', CHANGE_OPTIONS, options)
      checkEndpoint(input, checkUrl, maxAgeMs)
      checkEventVersion(input, versions)
      const before = await get(workspaceId, id)
      checkCredentials(input, { checkUrl, canUseTls, before })
      if (namesHeaders(input)) checkDistinct(headerNamesOf(input, before))
      const secrets = await endpointSecrets.changed(before, input)
      const headers = input.headers && (await sealHeaders(input.headers))
      const headerKey = headers
        ? [endpointSecrets.dropHeaderKey(before), ...(await endpointSecrets.headerKey(before, headers))]
        : []
      const credentials = await sealCredentials({ db, store: secretStore }, before, input)
      const changing = changeOf(deps, { workspaceId, id, verb: 'endpoint.update' }, { ...options, acting })
      const { transaction, bumped } = changing
      transaction.record(targetOf({ workspaceId, id }))
      const isThisEndpoint = sqlText`id = ${id} and workspace_id = ${workspaceId}`
      // A new URL starts with a clean health; the comparison is with the URL that the row has when this commits.
      if (input.url !== undefined) transaction.add(resetHealth(id, sqlText`${isThisEndpoint} and url <> ${input.url}`))
      const given = columnsOf(input, { headers: headers?.column, ...credentials.columns }, defaultAttempts)
      if (given.length > 0) {
        transaction.add(sqlText`update keepsend_endpoints set ${joined(given, ', ')} where ${isThisEndpoint}`)
      }
      if (namesHeaders(input)) transaction.add(refuseSameNameStatement(before))
      if (input.eventTypes !== undefined || input.channels !== undefined) {
        const { eventTypes = before.eventTypes, channels = before.channels } = input
        checkSubscriptions({ eventTypes, channels }, limits)
        transaction.add(unsubscribe(db, { workspaceId, id }))
        transaction.add(subscribe(db, { workspaceId, id }, limits))
      }
      transaction.addAll([...secrets, ...headerKey, ...credentials.statements])
      transaction.answer(selectShown(db, { workspaceId, id }))
      await commit({ workspaceId, id, uid: input.uid }, changing, acting)
      if (bumped.changes === 0) throw new EngineError('not_found', 'no such endpoint')
      return get(workspaceId, id)
    },

    async delete(workspaceId, id, { acting, ...options } = {}) {
      checkNames('endpoints.delete', CHANGE_OPTIONS, options)
      await get(workspaceId, id)
      const ofThisEndpoint = sqlText`endpoint_id in (select id from keepsend_endpoints where id = ${id} and workspace_id = ${workspaceId})`
      const changing = changeOf(deps, { workspaceId, id, verb: 'endpoint.delete' }, { ...options, acting })
      const { transaction } = changing
      transaction.record(targetOf({ workspaceId, id }))
      transaction.add(sqlText`delete from keepsend_subscriptions where ${ofThisEndpoint}`)
      transaction.add(sqlText`delete from keepsend_secrets where ${ofThisEndpoint}`)
      transaction.add(sqlText`delete from keepsend_problems where ${ofThisEndpoint}`)
      transaction.add(sqlText`delete from keepsend_endpoints where id = ${id} and workspace_id = ${workspaceId}`)
      transaction.add(failOrphansStatement(db, id))
      transaction.answer(raw(`'null'`))
      await commit({ workspaceId, id }, changing, acting)
    },

    ...createEndpointStates({ db, get, begin, commit, resumeHeld }),

    async rotateSecret(workspaceId, id, { acting, ...options } = {}) {
      checkNames('endpoints.rotateSecret', ROTATE_OPTIONS, options)
      const secret = await endpointSecrets.rotate(await get(workspaceId, id), { ...options, acting })
      onChange(id, workspaceId)
      return secret
    },

    async endSecret(workspaceId, id, options) {
      checkNames('endpoints.endSecret', END_SECRET_OPTIONS, options)
      await endSecret(deps, await get(workspaceId, id), options)
      onChange(id, workspaceId)
    },

    async matchEvent(workspaceId, id, event) {
      return matchEvent(await get(workspaceId, id), event, versions)
    },

    async secrets(workspaceId, id) {
      return endpointSecrets.list(await get(workspaceId, id))
    },

    async revealSecrets(workspaceId, id, options = {}) {
      checkNames('endpoints.revealSecrets', BY_OPTION, options)
      const endpoint = await get(workspaceId, id)
      // Before they are read: no secret is shown whose reading is not recorded.
      await begin(endpoint, 'endpoint.reveal_secrets', options).commit(db)
      return endpointSecrets.list(endpoint)
    },
  }
}
