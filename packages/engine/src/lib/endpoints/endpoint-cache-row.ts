import type { Row } from '@keepsend/outbox/internal'
import type { InferSelectModel } from 'drizzle-orm/table'
import type { secrets as secretsTable } from '../sqlite/tables.ts'

/** The columns of an endpoint that an attempt reads. */
export const ENDPOINT_COLUMNS = [
  'id',
  'workspaceId',
  'version',
  'status',
  'url',
  'retrySchedule',
  'deadlineMs',
  'headers',
  'retryStatuses',
  'compatHeader',
  'compatFormat',
  'eventTypeHeader',
  'concurrency',
  'rateLimit',
  'ratePeriod',
  'auth',
  'tls',
  'resumeAt',
  'circuit',
  'probeId',
  'failingSince',
  'warned',
  'failuresInRow',
  'windowAt',
  'windowFailures',
] as const

/** The columns of each of its secrets. */
export const SECRET_COLUMNS = ['scheme', 'secret', 'keyId', 'expiresAt', 'sealed', 'token'] as const

export type EndpointColumn = (typeof ENDPOINT_COLUMNS)[number]
type SecretRow = Pick<InferSelectModel<typeof secretsTable>, (typeof SECRET_COLUMNS)[number]> & {
  secretVersion: number
}

/** A row for each secret of an endpoint; without a secret, one row of nulls. */
export type EndpointCacheRow = Row & { id: string; workspaceId: string; paused: number } & {
  [Name in keyof SecretRow]: SecretRow[Name] | null
}
