import type { OutboxDatabase } from '@keepsend/outbox'
import { clock, sqlText } from '@keepsend/outbox/internal'
import type { CheckUrl, UrlCheck } from '../url-policy/check-url.ts'
import type { Health } from '../health/circuit-breaker.ts'
import type { Endpoint } from './endpoint.ts'
import { keyless, openHeaders } from './endpoint-headers.ts'
import type { EndpointTls } from '../credentials.ts'
import { EngineError } from '../errors.ts'
import { isPaused } from '../backlog/pause.ts'
import type { RatePeriod } from '../backlog/rate-limit.ts'
import { endpointRows, secretRows } from '../codecs.ts'
import type { SecretStore } from '../secrets/secret-store.ts'
import type { SignatureScheme } from '../signing/signer.ts'
import { type CachedAuth, openAuth, openTls } from './cached-credentials.ts'
import { ENDPOINT_COLUMNS, type EndpointCacheRow, type EndpointColumn, SECRET_COLUMNS } from './endpoint-cache-row.ts'

/** An endpoint as an attempt uses it. */
export interface EndpointSnapshot extends Pick<Endpoint, 'compatHeader' | 'compatFormat' | 'eventTypeHeader'> {
  id: string
  version: number
  enabled: boolean
  /** No attempt may begin now. */
  paused: boolean
  /** The URL and the URL policy's decision on it, made when the row was read. */
  check: UrlCheck
  /** The host name of the URL without a trailing dot; undefined where the URL is refused. */
  host: string | undefined
  retrySchedule: readonly number[] | null
  deadlineMs: number | null
  /** Its own headers, with lower-case names. A promise where it has some, which rejects if they cannot be decrypted. */
  headers: Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>
  retryStatuses: readonly number[]
  /** Concurrent attempts from one process; null: the queue's default. */
  concurrency: number | null
  /** Attempts per period, from all processes together. */
  rateLimit: number | null
  ratePeriod: RatePeriod
  health: Health
  /** When held rows are resumed next; null: none is held, or a person must resume them. */
  resumeAt: number | null
  /** Its credentials, decrypted as `headers` are; undefined where it has none, so that nothing is awaited. */
  auth: Promise<CachedAuth> | undefined
  tls: Promise<EndpointTls> | undefined
  /** By scheme, the newest first; each signs until it expires. */
  secrets: readonly SnapshotSecret[]
}

/** Decrypted lazily; a failure affects only this endpoint. */
interface SnapshotSecret {
  scheme: SignatureScheme
  secret: string | Promise<string>
  expiresAt: number | null
}

/** Endpoints as attempts see them, read at most a second ago. */
export interface EndpointCache {
  /** Undefined when there is no such endpoint. Look-ups of one event-loop tick share a statement. */
  get(endpointId: string): Promise<EndpointSnapshot | undefined>
  forget(endpointId: string): void
  /**
   * Records an attempt that failed at the time `at`: the snapshot counts as failing from then on. After `inRow` failures in a
   * row the entry is dropped, because the circuit may have opened.
   */
  failed(endpointId: string, at: number, inRow: number): void
}

// A change by another process is seen within a second; one by this process immediately.
const FRESH_MS = 1000
const MAX_CACHED = 10_000

export function createEndpointCache(
  db: OutboxDatabase,
  secretStore: SecretStore,
  checkUrl: CheckUrl,
  monotonic: () => number,
): EndpointCache {
  const cached = new Map<
    string,
    { readAt: number; snapshot: Promise<EndpointSnapshot | undefined>; failures: number }
  >()
  let nextRead: { ids: string[]; read: Promise<Map<string, EndpointSnapshot | EngineError>> } | undefined

  function load(endpointId: string): Promise<EndpointSnapshot | undefined> {
    if (!nextRead) {
      const ids: string[] = []
      const read = Promise.resolve().then(() => {
        nextRead = undefined
        return readSnapshots(db, secretStore, checkUrl, ids)
      })
      nextRead = { ids, read }
    }
    nextRead.ids.push(endpointId)
    return nextRead.read.then((snapshots) => {
      const snapshot = snapshots.get(endpointId)
      if (snapshot instanceof EngineError) throw snapshot
      // While a circuit is open the row that may go changes with each probe: read it each time.
      if (snapshot?.health.circuit === 'open') cached.delete(endpointId)
      const known = cached.get(endpointId)
      if (known && snapshot) known.failures = snapshot.health.failuresInRow
      return snapshot
    })
  }

  return {
    get(endpointId) {
      const known = cached.get(endpointId)
      const now = monotonic()
      if (known && now - known.readAt < FRESH_MS) return known.snapshot
      const snapshot = load(endpointId)
      if (cached.size >= MAX_CACHED) cached.clear()
      cached.set(endpointId, { readAt: now, snapshot, failures: 0 })
      // A failed read must not be cached; its callers get the rejection.
      snapshot.catch(() => cached.delete(endpointId))
      return snapshot
    },
    forget(endpointId) {
      cached.delete(endpointId)
    },
    failed(endpointId, at, inRow) {
      const known = cached.get(endpointId)
      if (!known) return
      if (++known.failures >= inRow) {
        cached.delete(endpointId)
        return
      }
      known.snapshot = known.snapshot.then((snapshot) => snapshot && asFailing(snapshot, at))
      // The read may still fail; the callers of `get` get that rejection.
      known.snapshot.catch(() => undefined)
    },
  }
}

async function readSnapshots(
  db: OutboxDatabase,
  secretStore: SecretStore,
  checkUrl: CheckUrl,
  ids: readonly string[],
): Promise<Map<string, EndpointSnapshot | EngineError>> {
  const { rows } = await db.run<EndpointCacheRow>(sqlText`
    select ${endpointRows.some('endpoint', ENDPOINT_COLUMNS)}, ${secretRows.some('signing', SECRET_COLUMNS)},
      signing.version as "secretVersion", case when ${isPaused('endpoint')} then 1 else 0 end as "paused"
    from keepsend_endpoints as endpoint left join keepsend_secrets as signing
      on signing.endpoint_id = endpoint.id and (signing.expires_at is null or signing.expires_at > ${clock()})
    where endpoint.id ${db.dialect.keys([...new Set(ids)])}
    order by endpoint.id, signing.scheme, signing.version desc`)
  const snapshots = new Map<string, SnapshotDraft | EngineError>()
  for (const row of rows) {
    const snapshot = snapshots.get(row.id) ?? readSnapshot(row, checkUrl)
    snapshots.set(row.id, snapshot)
    if (!(snapshot instanceof EngineError)) addSecret(snapshot, row, secretStore)
  }
  return snapshots
}

/** A snapshot to which secrets are still being added. */
type SnapshotDraft = EndpointSnapshot & { secrets: SnapshotSecret[]; sealedHeaders: Readonly<Record<string, string>> }

function asFailing(snapshot: EndpointSnapshot, at: number): EndpointSnapshot {
  const { health } = snapshot
  return health.failingSince === null ? { ...snapshot, health: { ...health, failingSince: at } } : snapshot
}

/** A row that was broken by hand fails its own deliveries, and no other endpoint's look-up. */
function readSnapshot(row: EndpointCacheRow, checkUrl: CheckUrl): SnapshotDraft | EngineError {
  try {
    const endpoint = endpointRows.read<EndpointColumn>(row)
    const { id, version, deadlineMs, headers, compatHeader, concurrency, rateLimit, ratePeriod, resumeAt } = endpoint
    const check = checkUrl(endpoint.url)
    const { circuit, probeId, failingSince, warned, failuresInRow, windowAt, windowFailures } = endpoint
    // Field by field: the joined row also holds a secret, which no snapshot may carry.
    return {
      id,
      version,
      enabled: endpoint.status === 'enabled',
      paused: row.paused === 1,
      check,
      host: check.ok ? check.url.hostname.replace(/\.$/, '') : undefined,
      retrySchedule: endpoint.retrySchedule === null ? null : numbersIn(endpoint.retrySchedule),
      deadlineMs,
      headers: Object.keys(headers).length === 0 ? {} : missing('headers', id),
      sealedHeaders: headers,
      retryStatuses: numbersIn(endpoint.retryStatuses),
      compatHeader,
      compatFormat: endpoint.compatFormat,
      eventTypeHeader: endpoint.eventTypeHeader,
      concurrency,
      rateLimit,
      ratePeriod,
      resumeAt,
      auth: endpoint.auth === null ? undefined : missing('auth', id),
      tls: endpoint.tls === null ? undefined : missing('tls', id),
      health: { circuit, probeId, failingSince, warned, failuresInRow, windowAt, windowFailures },
      secrets: [],
    }
  } catch {
    // Without the parser's message: it quotes its input, headers with tokens included.
    return new EngineError(
      'invalid_endpoint',
      `the row of endpoint ${row.id} cannot be read: one of its columns has an invalid format`,
    )
  }
}

function addSecret(snapshot: SnapshotDraft, row: EndpointCacheRow, secretStore: SecretStore): void {
  const { workspaceId, scheme, secretVersion: version, keyId, expiresAt } = row
  if (row.secret === null || version === null || scheme === null || scheme === 'pepper' || scheme === 'check') return
  const secret = secretStore.open({ workspaceId, endpointId: row.id, scheme, version, secret: row.secret, keyId })
  if (typeof secret !== 'string') void rejectLater(secret)
  if (scheme === 'headers') snapshot.headers = rejectLater(openHeaders(snapshot.sealedHeaders, secret))
  else if (scheme === 'auth') snapshot.auth = rejectLater(openAuth({ ...row, secret }))
  else if (scheme === 'tls') snapshot.tls = rejectLater(openTls({ ...row, secret }))
  else snapshot.secrets.push({ scheme, secret, expiresAt })
}

/** Stands for headers or credentials until their key is read. */
function missing(what: string, endpointId: string): Promise<never> {
  return rejectLater(Promise.reject(keyless(what, endpointId)))
}

/** Keeps a rejection from being reported as unhandled: the attempt that needs the value gets it. */
function rejectLater<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined)
  return work
}

function numbersIn(list: unknown): number[] {
  if (Array.isArray(list) && list.every((one) => typeof one === 'number')) return list
  throw new TypeError('expected a list of numbers')
}
