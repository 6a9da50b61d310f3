import { createCodec, json } from '@keepsend/outbox'
import type { apiKeys, endpoints, secrets } from './sqlite/tables.ts'

/** The columns of the engine's tables. A new one is a line here, one in each dialect's table, and one in each migration. */
export const endpointRows = createCodec<typeof endpoints>({
  id: 'id',
  workspaceId: 'workspace_id',
  url: 'url',
  description: 'description',
  status: 'status',
  disabledReason: 'disabled_reason',
  disabledAt: 'disabled_at',
  version: 'version',
  eventTypes: json('event_types'),
  channels: json('channels'),
  retrySchedule: json('retry_schedule'),
  maxAttempts: 'max_attempts',
  deadlineMs: 'deadline_ms',
  headers: json('headers'),
  retryStatuses: json('retry_statuses'),
  signatures: json('signatures'),
  compatHeader: 'compat_header',
  concurrency: 'concurrency',
  rateLimit: 'rate_limit',
  ratePeriod: 'rate_period',
  rateNextUs: 'rate_next_us',
  rateGranted: 'rate_granted',
  circuit: 'circuit',
  probeId: 'probe_id',
  probedId: 'probed_id',
  failingSince: 'failing_since',
  warned: 'warned',
  failuresInRow: 'failures_in_row',
  timeoutsInRow: 'timeouts_in_row',
  windowAt: 'window_at',
  windowFailures: 'window_failures',
  windowSuccesses: 'window_successes',
  pausedUntil: 'paused_until',
  pauseAskedAt: 'pause_asked_at',
  wakeAt: 'wake_at',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
})

export const secretRows = createCodec<typeof secrets>({
  endpointId: 'endpoint_id',
  scheme: 'scheme',
  version: 'version',
  secret: 'secret',
  keyId: 'key_id',
  createdAt: 'created_at',
  expiresAt: 'expires_at',
})

export const apiKeyRows = createCodec<typeof apiKeys>({
  keyHash: 'key_hash',
  id: 'id',
  workspaceId: 'workspace_id',
  name: 'name',
  scopes: json('scopes'),
  createdAt: 'created_at',
  expiresAt: 'expires_at',
  lastUsedAt: 'last_used_at',
})
