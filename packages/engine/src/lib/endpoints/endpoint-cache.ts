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

/** What an attempt needs to know of its endpoint. */
export interface EndpointSnapshot extends Pick<Endpoint, 'compatHeader' | 'compatFormat' | 'eventTypeHeader'> {
  id: string
  version: number
  enabled: boolean
  /** No attempt begins now. */
  paused: boolean
  /** The URL and the verdict on it, judged when the target was read. */
  check: UrlCheck
  /** Of the URL, without the dot that may end it; undefined where the URL is refused. */
  host: string | undefined
  retrySchedule: readonly number[] | null
  deadlineMs: number | null
  /** Of its own, with lower-case names. A promise where there are some, which rejects where they cannot be decrypted. */
  headers: Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>
  retryStatuses: readonly number[]
  /** Attempts at once from one process; null: as its queue has it. */
  concurrency: number | null
  /** Attempts per period, from all processes together. */
  rateLimit: number | null
  ratePeriod: RatePeriod
  health: Health
  /** When held rows are let out next; null: none is held, or a person must come. */
  resumeAt: number | null
  /** What it proves itself with, as `headers` are; undefined where there is none, so that nothing is waited for. */
  auth: Promise<CachedAuth> | undefined
  tls: Promise<EndpointTls> | undefined
  /** By scheme and the newest first; each signs until it expires. */
  secrets: readonly TargetSecret[]
}

/** A promise until it was decrypted once; one that rejects is of no harm to other endpoints. */
interface TargetSecret {
  scheme: SignatureScheme
  secret: string | Promise<string>
  expiresAt: number | null
}

/** Endpoints as attempts see them: read at each attempt, or at most a second ago. */
export interface EndpointCache {
  /** Undefined when there is no such endpoint. Look-ups of one turn share a statement. */
  get(endpointId: string): Promise<EndpointSnapshot | undefined>
  forget(endpointId: string): void
  /**
   * An attempt has failed, as of `at`: what was read is failing from now on. With so many in a row it is forgotten, for the
   * circuit may have opened.
   */
  failed(endpointId: string, at: number, inRow: number): void
}

// A change by another process is seen within a second; by this one, at once.
const FRESH_MS = 1000
const MAX_CACHED = 10_000

export function createEndpointCache(
  db: OutboxDatabase,
  secretStore: SecretStore,
  checkUrl: CheckUrl,
  monotonic: () => number,
): EndpointCache {
  const cached = new Map<string, { readAt: number; target: Promise<EndpointSnapshot | undefined>; failures: number }>()
  let wanted: { ids: string[]; read: Promise<Map<string, EndpointSnapshot | EngineError>> } | undefined

  function load(endpointId: string): Promise<EndpointSnapshot | undefined> {
    if (!wanted) {
      const ids: string[] = []
      const read = Promise.resolve().then(() => {
        wanted = undefined
        return readTargets(db, secretStore, checkUrl, ids)
      })
      wanted = { ids, read }
    }
    wanted.ids.push(endpointId)
    return wanted.read.then((targets) => {
      const target = targets.get(endpointId)
      if (target instanceof EngineError) throw target
      // Which row may go while a circuit is open changes from one probe to the next: that is read each time.
      if (target?.health.circuit === 'open') cached.delete(endpointId)
      const known = cached.get(endpointId)
      if (known && target) known.failures = target.health.failuresInRow
      return target
    })
  }

  return {
    get(endpointId) {
      const known = cached.get(endpointId)
      const now = monotonic()
      if (known && now - known.readAt < FRESH_MS) return known.target
      const target = load(endpointId)
      if (cached.size >= MAX_CACHED) cached.clear()
      cached.set(endpointId, { readAt: now, target, failures: 0 })
      // A failed read must not be remembered; whoever waits for it is told.
      target.catch(() => cached.delete(endpointId))
      return target
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
      known.target = known.target.then((target) => target && asFailing(target, at))
      // It may still be being read, and whoever waits for that is told of a failure.
      known.target.catch(() => undefined)
    },
  }
}

async function readTargets(
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
  const targets = new Map<string, OpenTarget | EngineError>()
  for (const row of rows) {
    const target = targets.get(row.id) ?? readTarget(row, checkUrl)
    targets.set(row.id, target)
    if (!(target instanceof EngineError)) addSecret(target, row, secretStore)
  }
  return targets
}

/** A target whose secrets are still being added. */
type OpenTarget = EndpointSnapshot & { secrets: TargetSecret[]; sealedHeaders: Readonly<Record<string, string>> }

function asFailing(target: EndpointSnapshot, at: number): EndpointSnapshot {
  const { health } = target
  return health.failingSince === null ? { ...target, health: { ...health, failingSince: at } } : target
}

/** A row that was broken by hand fails its own deliveries, and no look-up of its neighbours. */
function readTarget(row: EndpointCacheRow, checkUrl: CheckUrl): OpenTarget | EngineError {
  try {
    const endpoint = endpointRows.read<EndpointColumn>(row)
    const { id, version, deadlineMs, headers, compatHeader, concurrency, rateLimit, ratePeriod, resumeAt } = endpoint
    const check = checkUrl(endpoint.url)
    const { circuit, probeId, failingSince, warned, failuresInRow, windowAt, windowFailures } = endpoint
    // Field by field: the row of the join holds a secret besides, which no cached endpoint carries.
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
    // Not what the parser says: it quotes what it read, headers with their tokens included.
    return new EngineError(
      'invalid_endpoint',
      `the row of ${row.id} cannot be read: a column of it is not in its format`,
    )
  }
}

function addSecret(target: OpenTarget, row: EndpointCacheRow, secretStore: SecretStore): void {
  const { workspaceId, scheme, secretVersion: version, keyId, expiresAt } = row
  if (row.secret === null || version === null || scheme === null || scheme === 'pepper' || scheme === 'check') return
  const secret = secretStore.open({ workspaceId, endpointId: row.id, scheme, version, secret: row.secret, keyId })
  if (typeof secret !== 'string') void waitedForLater(secret)
  if (scheme === 'headers') target.headers = waitedForLater(openHeaders(target.sealedHeaders, secret))
  else if (scheme === 'auth') target.auth = waitedForLater(openAuth({ ...row, secret }))
  else if (scheme === 'tls') target.tls = waitedForLater(openTls({ ...row, secret }))
  else target.secrets.push({ scheme, secret, expiresAt })
}

/** What the endpoint has, until its key is found. */
function missing(what: string, endpointId: string): Promise<never> {
  return waitedForLater(Promise.reject(keyless(what, endpointId)))
}

/** The attempt that needs it is told what it rejects with; until then nobody waits for it. */
function waitedForLater<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined)
  return work
}

function numbersIn(list: unknown): number[] {
  if (Array.isArray(list) && list.every((one) => typeof one === 'number')) return list
  throw new TypeError('no list of numbers')
}
