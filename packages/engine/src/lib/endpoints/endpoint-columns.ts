import type { OutboxDatabase } from '@keepsend/outbox'
import {
  type Dialect,
  type OptionsOf,
  type Row,
  type SqlText,
  type SqlValue,
  raw,
  sqlText,
} from '@keepsend/outbox/internal'
import { COMPAT_FORMATS } from '../signing/compat-signature.ts'
import { guardEndpointCount, guardSubscriptionCount } from './endpoint-limits.ts'
import { DISABLED_REASONS, type Endpoint, type EndpointInput } from './endpoint.ts'
import type { ContentFilter } from '../filters/content-filter.ts'
import type { Limits } from '../limits.ts'
import { jsonRow, readRow } from '../idempotency/idempotent-change.ts'
import { pausedUntil } from '../backlog/pause.ts'
import { RATE_PERIODS } from '../backlog/rate-limit.ts'
import { endpointRows } from '../codecs.ts'
import { isListOf, isStored } from '../formats/stored-json.ts'

const SHOWN = [
  'id',
  'uid',
  'workspaceId',
  'url',
  'description',
  'metadata',
  'status',
  'disabledReason',
  'disabledAt',
  'version',
  'eventTypes',
  'channels',
  'retrySchedule',
  'deadlineMs',
  'headers',
  'retryStatuses',
  'signatures',
  'compatHeader',
  'compatFormat',
  'eventTypeHeader',
  'filter',
  'eventVersion',
  'concurrency',
  'rateLimit',
  'ratePeriod',
  'auth',
  'tls',
  'circuit',
  'failingSince',
  'createdAt',
  'updatedAt',
] as const

const STORED = [...SHOWN, 'pausedUntil'] as const

/** The shown columns of `keepsend_endpoints as endpoint`. */
export const SHOWN_COLUMNS = sqlText`${endpointRows.some('endpoint', SHOWN)}, ${pausedUntil('endpoint')} as "pausedUntil"`

/** Selects the shown columns as one JSON text for a stored answer, with the names of the headers alone; see {@link readShown}. */
export function selectShown(db: OutboxDatabase, { workspaceId, id }: Pick<Endpoint, 'id' | 'workspaceId'>): SqlText {
  const columns = endpointRows.some(
    'endpoint',
    SHOWN.filter((name) => name !== 'headers'),
  )
  const names = raw(
    db.dialect.name === 'sqlite'
      ? `(select json_group_object(key, '') from json_each(endpoint.headers))`
      : `(select coalesce(json_object_agg(name, ''), '{}') from json_object_keys(cast(endpoint.headers as json)) as named (name))`,
  )
  return sqlText`
    select ${jsonRow(db, STORED)} from (
      select ${columns}, cast(${names} as text) as "headers", ${pausedUntil('endpoint')} as "pausedUntil" from keepsend_endpoints as endpoint
      where id = ${id} and workspace_id = ${workspaceId}) as shown`
}

/** Reads the text of {@link selectShown}. */
export function readShown(answer: string): Endpoint {
  return toEndpoint(readRow(STORED, answer))
}

/**
 * Inserts every (pattern, channel) that the endpoint's row has, read from the row so that two changes cannot leave a mixture.
 * Existing ones are not written again.
 */
export function subscribe(
  { dialect }: OutboxDatabase,
  endpoint: Pick<Endpoint, 'id' | 'workspaceId'> & { isNew?: boolean },
  limits: Limits,
): SqlText {
  const counted = (list: SqlText): SqlText => sqlText`(select count(*) from ${dialect.elements('one', list)})`
  const pairs = sqlText`${counted(EVENT_TYPES)} * ${counted(LISTENED)}`
  const pattern = guardSubscriptionCount(pairs, limits, raw('wanted.value'))
  const listened = raw('listened.value')
  const channel = endpoint.isNew ? guardEndpointCount(endpoint.workspaceId, limits, listened) : listened
  return sqlText`
    insert into keepsend_subscriptions (workspace_id, pattern, channel, endpoint_id)
    select distinct endpoint.workspace_id, ${pattern}, ${channel}, endpoint.id
    ${pairsOf(dialect, endpoint)}
    on conflict (workspace_id, pattern, channel, endpoint_id) do nothing`
}

/** Deletes the subscriptions that the endpoint's row no longer has. */
export function unsubscribe({ dialect }: OutboxDatabase, endpoint: Pick<Endpoint, 'id' | 'workspaceId'>): SqlText {
  return sqlText`
    delete from keepsend_subscriptions where endpoint_id = ${endpoint.id} and workspace_id = ${endpoint.workspaceId}
      and (pattern, channel) not in (select wanted.value, listened.value ${pairsOf(dialect, endpoint)})`
}

const EVENT_TYPES = raw('endpoint.event_types')
const LISTENED = raw(`case when endpoint.channels = '[]' then '["*"]' else endpoint.channels end`)

function pairsOf(dialect: Dialect, { id, workspaceId }: Pick<Endpoint, 'id' | 'workspaceId'>): SqlText {
  return sqlText`from keepsend_endpoints as endpoint
      cross join ${dialect.elements('wanted', EVENT_TYPES)}
      cross join ${dialect.elements('listened', LISTENED)}
    where endpoint.id = ${id} and endpoint.workspace_id = ${workspaceId}`
}

/** The assignments of a change: the properties that it sets and no others, and the values of `sealed` as they are. */
export function columnsOf(
  input: OptionsOf<EndpointInput>,
  sealed: Partial<Record<'headers' | 'auth' | 'tls', string | null | undefined>>,
  defaultAttempts: number,
): SqlText[] {
  const { retrySchedule, compatSignature } = input
  const columns: Record<string, SqlValue | SqlText | undefined> = {
    url: input.url,
    description: input.description,
    uid: input.uid,
    metadata: input.metadata && JSON.stringify(input.metadata),
    event_types: input.eventTypes && JSON.stringify(input.eventTypes),
    channels: input.channels && JSON.stringify(input.channels),
    retry_schedule: retrySchedule === undefined ? undefined : scheduleText(retrySchedule),
    max_attempts: retrySchedule === undefined ? undefined : attemptsOf(retrySchedule, defaultAttempts),
    deadline_ms: input.deadlineMs,
    retry_statuses: input.retryStatuses && JSON.stringify(input.retryStatuses),
    signatures: input.signatures && JSON.stringify(input.signatures),
    compat_header: compatSignature && compatSignature.header.toLowerCase(),
    compat_format: compatSignature === null ? 'timestamped' : compatSignature?.format,
    event_type_header: input.eventTypeHeader && input.eventTypeHeader.toLowerCase(),
    filter: input.filter === undefined ? undefined : filterText(input.filter),
    event_version: input.eventVersion,
    // The filter sees the body in that version.
    filter_version:
      input.filter === undefined && input.eventVersion === undefined ? undefined : raw('filter_version + 1'),
    concurrency: input.concurrency,
    rate_limit: input.rateLimit,
    rate_period: input.ratePeriod,
    ...sealed,
  }
  return Object.entries(columns).flatMap(([column, value]) =>
    value === undefined ? [] : [sqlText`${raw(column)} = ${value}`],
  )
}

/** One attempt, and one more after each wait. */
export function attemptsOf(schedule: readonly number[] | null | undefined, defaultAttempts: number): number {
  return schedule ? schedule.length + 1 : defaultAttempts
}

export function scheduleText(schedule: readonly number[] | null | undefined): string | null {
  return schedule ? JSON.stringify(schedule) : null
}

/** Null and `{}` are no filter. */
export function filterText(filter: ContentFilter | null | undefined): string | null {
  return filter && Object.keys(filter).length > 0 ? JSON.stringify(filter) : null
}

/**
 * Reads the row of an endpoint. Columns that were broken by hand are shown as empty and named in `unreadable`, so that lists
 * work and the endpoint can be changed or deleted.
 */
export function toEndpoint(row: Row): Endpoint {
  const unreadable: string[] = []
  for (const [name, [isReadable, instead]] of Object.entries(FORMATS)) {
    if (isReadable(row[name])) continue
    row[name] = instead
    unreadable.push(name)
  }
  const { headers, disabledReason, ...shown } = endpointRows.read<(typeof SHOWN)[number] | 'pausedUntil'>(row)
  return {
    ...shown,
    disabledReason: disabledReason as Endpoint['disabledReason'],
    headerNames: Object.keys(headers),
    ...(unreadable.length > 0 && { unreadable }),
  }
}

const texts = isListOf((one) => typeof one === 'string')
const numbers = isListOf(Number.isInteger)
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
const isTexts = (value: unknown): boolean =>
  isObject(value) && !Array.isArray(value) && Object.values(value).every((one) => typeof one === 'string')
const oneOf = (values: readonly unknown[]) => (stored: unknown) => values.includes(stored)

/** The columns that can be broken: whether a stored value is readable, and the value that is shown otherwise. */
const FORMATS: Record<string, readonly [isReadable: (stored: unknown) => boolean, instead: string | null]> = {
  status: [oneOf(['enabled', 'disabled']), 'disabled'],
  disabledReason: [oneOf([null, ...DISABLED_REASONS]), null],
  circuit: [oneOf(['closed', 'open']), 'closed'],
  ratePeriod: [oneOf(RATE_PERIODS), 'second'],
  compatFormat: [oneOf(COMPAT_FORMATS), 'timestamped'],
  eventTypes: [(stored) => isStored(stored, texts), '[]'],
  channels: [(stored) => isStored(stored, texts), '[]'],
  signatures: [(stored) => isStored(stored, isListOf(oneOf(['v1', 'v1a']))), '[]'],
  retryStatuses: [(stored) => isStored(stored, numbers), '[]'],
  retrySchedule: [(stored) => stored === null || isStored(stored, numbers), null],
  headers: [(stored) => isStored(stored, isObject), '{}'],
  filter: [(stored) => stored === null || isStored(stored, isObject), null],
  auth: [(stored) => stored === null || isStored(stored, isObject), null],
  tls: [(stored) => stored === null || isStored(stored, isObject), null],
  metadata: [(stored) => isStored(stored, isTexts), '{}'],
}

/** The properties that `unreadable` can name. */
export const READABLE: readonly string[] = Object.keys(FORMATS)
