import { type OutboxDatabase, type Row, type SqlText, clock, limitTo, raw, sqlText } from '@keepsend/outbox'
import { v7 } from 'uuid'
import type { CheckUrl } from './check-url.ts'
import { checkHeaders } from './custom-headers.ts'
import { type Endpoint, type EndpointInput, checkEndpoint } from './endpoint.ts'
import { EngineError } from './errors.ts'
import { resetHealth } from './circuit.ts'
import { letOutAllOf } from './let-out.ts'
import { newSecret } from './sign.ts'

/** One signing secret of an endpoint. */
export interface EndpointSecret {
  version: number
  secret: string
  createdAt: number
  /** When it stops signing; null for the current one. */
  expiresAt: number | null
}

/** The endpoints of every workspace. Each method is scoped: another workspace's endpoint does not exist for it. */
export interface EndpointStore {
  create(workspaceId: string, input: EndpointInput): Promise<{ endpoint: Endpoint; secret: string }>
  get(workspaceId: string, id: string): Promise<Endpoint>
  list(workspaceId: string, options: { limit: number; after?: string | undefined }): Promise<Endpoint[]>
  update(workspaceId: string, id: string, change: Partial<Omit<EndpointInput, 'secret'>>): Promise<Endpoint>
  /** Its pending and held deliveries fail as `endpoint_gone` when they are next claimed. */
  delete(workspaceId: string, id: string): Promise<void>
  /** Enabling closes the circuit and lets out what was held, batch by batch; disabling holds what comes up. */
  setStatus(workspaceId: string, id: string, status: Endpoint['status']): Promise<Endpoint>
  /** A new secret; the ones before sign beside it for `overlapMs`. */
  rotateSecret(workspaceId: string, id: string, options?: { overlapMs?: number }): Promise<EndpointSecret>
  /** The secrets that sign now, newest first. */
  secrets(workspaceId: string, id: string): Promise<EndpointSecret[]>
}

/** 24 h for a receiver to learn the new secret. */
export const DEFAULT_SECRET_OVERLAP_MS = 86_400_000
const MAX_SECRET_OVERLAP_MS = 604_800_000

const COLUMNS = raw(
  'id, workspace_id as "workspaceId", url, description, status, disabled_reason as "disabledReason", version, ' +
    'event_types as "eventTypes", channels, retry_schedule as "retrySchedule", deadline_ms as "deadlineMs", ' +
    'headers, retry_statuses as "retryStatuses", concurrency, rate_limit as "rateLimit", ' +
    'circuit, failing_since as "failingSince", ' +
    'created_at as "createdAt", updated_at as "updatedAt"',
)

/**
 * @param onChange is told the id of every endpoint that changed, so that what was read before is forgotten.
 * @param wake lets out the first of what is held for an endpoint that was enabled.
 */
export function createEndpointStore(
  db: OutboxDatabase,
  checkUrl: CheckUrl,
  defaultAttempts: number,
  onChange: (id: string) => void,
  wake: (id: string) => Promise<void>,
): EndpointStore {
  async function change(id: string, statements: readonly SqlText[]): Promise<void> {
    await db.atomic(statements)
    onChange(id)
  }

  async function get(workspaceId: string, id: string): Promise<Endpoint> {
    const { rows } = await db.run(
      sqlText`select ${COLUMNS} from keepsend_endpoints where id = ${id} and workspace_id = ${workspaceId}`,
    )
    if (!rows[0]) throw new EngineError('not_found', 'no such endpoint')
    return toEndpoint(rows[0])
  }

  return {
    get,

    async create(workspaceId, input) {
      checkEndpoint(input, checkUrl)
      const id = `ep_${v7()}`
      const { url, description = '', eventTypes = ['*'], channels = [], retrySchedule, deadlineMs = null } = input
      const { headers = {}, retryStatuses = [], concurrency = null, rateLimit = null } = input
      const secret = input.secret ?? newSecret()
      await change(id, [
        sqlText`
          insert into keepsend_endpoints (id, workspace_id, url, description, event_types, channels, retry_schedule,
            max_attempts, deadline_ms, headers, retry_statuses, concurrency, rate_limit, created_at, updated_at)
          values (${id}, ${workspaceId}, ${url}, ${description}, ${JSON.stringify(eventTypes)}, ${JSON.stringify(channels)},
            ${scheduleText(retrySchedule)}, ${attemptsOf(retrySchedule, defaultAttempts)}, ${deadlineMs},
            ${JSON.stringify(checkHeaders(headers))}, ${JSON.stringify(retryStatuses)}, ${concurrency}, ${rateLimit}, ${clock()}, ${clock()})`,
        subscribe(db, workspaceId, id, eventTypes, channels),
        sqlText`
          insert into keepsend_secrets (endpoint_id, version, secret, created_at) values (${id}, 1, ${secret}, ${clock()})`,
      ])
      return { endpoint: await get(workspaceId, id), secret }
    },

    async list(workspaceId, { limit, after = '' }) {
      const { rows } = await db.run(sqlText`
        select ${COLUMNS} from keepsend_endpoints where workspace_id = ${workspaceId} and id > ${after}
        order by id ${limitTo(limit)}`)
      return rows.map(toEndpoint)
    },

    async update(workspaceId, id, input) {
      checkEndpoint(input, checkUrl)
      const now = await get(workspaceId, id)
      const next = { ...now, ...input }
      await change(id, [
        sqlText`
          update keepsend_endpoints set url = ${next.url}, description = ${next.description},
            event_types = ${JSON.stringify(next.eventTypes)}, channels = ${JSON.stringify(next.channels)},
            retry_schedule = ${scheduleText(next.retrySchedule)},
            max_attempts = ${attemptsOf(next.retrySchedule, defaultAttempts)}, deadline_ms = ${next.deadlineMs},
            headers = ${input.headers ? JSON.stringify(checkHeaders(input.headers)) : raw('headers')}, retry_statuses = ${JSON.stringify(next.retryStatuses)},
            concurrency = ${next.concurrency}, rate_limit = ${next.rateLimit},
            version = version + 1, updated_at = ${clock()}
          where id = ${id} and workspace_id = ${workspaceId}`,
        // A new URL has its health to prove anew.
        ...(next.url === now.url ? [] : [resetHealth(id)]),
        sqlText`delete from keepsend_subscriptions where endpoint_id = ${id} and workspace_id = ${workspaceId}`,
        subscribe(db, workspaceId, id, next.eventTypes, next.channels),
      ])
      return get(workspaceId, id)
    },

    async delete(workspaceId, id) {
      await get(workspaceId, id)
      const mine = sqlText`endpoint_id in (select id from keepsend_endpoints where id = ${id} and workspace_id = ${workspaceId})`
      await change(id, [
        touch(workspaceId, id),
        sqlText`delete from keepsend_subscriptions where ${mine}`,
        sqlText`delete from keepsend_secrets where ${mine}`,
        sqlText`delete from keepsend_endpoints where id = ${id} and workspace_id = ${workspaceId}`,
        letOutAllOf(id),
      ])
    },

    async setStatus(workspaceId, id, status) {
      await get(workspaceId, id)
      const enabled = status === 'enabled'
      await change(id, [
        sqlText`
          update keepsend_endpoints set status = ${status}, disabled_reason = ${enabled ? null : 'manual'},
            version = version + 1, wake_at = ${enabled ? clock() : null}, updated_at = ${clock()}
          where id = ${id} and workspace_id = ${workspaceId} and (status <> ${status} ${raw(enabled ? `or circuit = 'open'` : '')})`,
        ...(enabled ? [resetHealth(id)] : []),
      ])
      if (enabled) await wake(id)
      return get(workspaceId, id)
    },

    async rotateSecret(workspaceId, id, { overlapMs = DEFAULT_SECRET_OVERLAP_MS } = {}) {
      if (!Number.isInteger(overlapMs) || overlapMs < 0 || overlapMs > MAX_SECRET_OVERLAP_MS) {
        throw new EngineError(
          'invalid_endpoint',
          `overlapMs must be a whole number from 0 to ${MAX_SECRET_OVERLAP_MS} (7 days); found ${overlapMs}`,
        )
      }
      await get(workspaceId, id)
      await change(id, [
        touch(workspaceId, id),
        sqlText`update keepsend_secrets set expires_at = ${clock()} + ${overlapMs} where endpoint_id = ${id} and expires_at is null`,
        sqlText`
          insert into keepsend_secrets (endpoint_id, version, secret, created_at)
          select endpoint_id, max(version) + 1, cast(${newSecret()} as text), ${clock()} from keepsend_secrets
          where endpoint_id = ${id} group by endpoint_id`,
        sqlText`delete from keepsend_secrets where endpoint_id = ${id} and expires_at < ${clock()}`,
      ])
      const [current] = await this.secrets(workspaceId, id)
      if (!current) throw new EngineError('not_found', 'no such endpoint')
      return current
    },

    async secrets(workspaceId, id) {
      await get(workspaceId, id)
      const { rows } = await db.run(sqlText`
        select version, secret, created_at as "createdAt", expires_at as "expiresAt" from keepsend_secrets
        where endpoint_id = ${id} and (expires_at is null or expires_at > ${clock()}) order by version desc`)
      return rows as unknown as EndpointSecret[]
    },
  }
}

/** First of a unit that changes an endpoint in several places: two such units come one after the other. */
function touch(workspaceId: string, id: string): SqlText {
  return sqlText`
    update keepsend_endpoints set version = version + 1, updated_at = ${clock()}
    where id = ${id} and workspace_id = ${workspaceId}`
}

function subscribe(
  db: OutboxDatabase,
  workspaceId: string,
  id: string,
  eventTypes: readonly string[],
  channels: readonly string[],
): SqlText {
  const patterns = db.dialect.list([...new Set(eventTypes)])
  const listened = db.dialect.list(channels.length === 0 ? ['*'] : [...new Set(channels)])
  return sqlText`
    insert into keepsend_subscriptions (workspace_id, pattern, channel, endpoint_id)
    select workspace_id, wanted.value, listened.value, id
    from keepsend_endpoints cross join (${patterns}) as wanted cross join (${listened}) as listened
    where id = ${id} and workspace_id = ${workspaceId}`
}

/** The first attempt and one after each wait. */
function attemptsOf(schedule: readonly number[] | null | undefined, defaultAttempts: number): number {
  return schedule ? schedule.length + 1 : defaultAttempts
}

function scheduleText(schedule: readonly number[] | null | undefined): string | null {
  return schedule ? JSON.stringify(schedule) : null
}

function toEndpoint(row: Row): Endpoint {
  const { headers, ...shown } = row
  const { eventTypes, channels, retrySchedule, retryStatuses } = row
  const lists = { eventTypes, channels, retrySchedule, retryStatuses }
  const parsed = Object.entries(lists).map(([name, text]) => [name, typeof text === 'string' ? JSON.parse(text) : null])
  const headerNames = Object.keys(JSON.parse(String(headers)) as object)
  return { ...shown, ...Object.fromEntries(parsed), headerNames } as Endpoint
}
