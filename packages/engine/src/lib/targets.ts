import { type OutboxDatabase, clock, sqlText } from '@keepsend/outbox'
import type { CheckUrl, UrlCheck } from './check-url.ts'
import type { SecretStore } from './secret-store.ts'
import type { SignatureScheme } from './sign.ts'

/** What an attempt needs to know of its endpoint. */
export interface Target {
  id: string
  version: number
  enabled: boolean
  /** The URL and the verdict on it, judged when the target was read. */
  check: UrlCheck
  retrySchedule: readonly number[] | null
  deadlineMs: number | null
  /** Of its own, with lower-case names. */
  headers: Readonly<Record<string, string>>
  retryStatuses: readonly number[]
  compatHeader: string | null
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
export interface Targets {
  /** Undefined when there is no such endpoint. Look-ups of one turn share a statement. */
  get(endpointId: string): Promise<Target | undefined>
  forget(endpointId: string): void
}

// A change by another process is seen within a second; by this one, at once.
const FRESH_MS = 1000
const MAX_CACHED = 10_000

export function createTargets(
  db: OutboxDatabase,
  secretStore: SecretStore,
  checkUrl: CheckUrl,
  monotonic: () => number,
): Targets {
  const cached = new Map<string, { readAt: number; target: Promise<Target | undefined> }>()
  let wanted: { ids: string[]; read: Promise<Map<string, Target>> } | undefined

  function load(endpointId: string): Promise<Target | undefined> {
    if (!wanted) {
      const ids: string[] = []
      const read = Promise.resolve().then(() => {
        wanted = undefined
        return readTargets(db, secretStore, checkUrl, ids)
      })
      wanted = { ids, read }
    }
    wanted.ids.push(endpointId)
    return wanted.read.then((targets) => targets.get(endpointId))
  }

  return {
    get(endpointId) {
      const known = cached.get(endpointId)
      const now = monotonic()
      if (known && now - known.readAt < FRESH_MS) return known.target
      const target = load(endpointId)
      if (cached.size >= MAX_CACHED) cached.clear()
      cached.set(endpointId, { readAt: now, target })
      // A failed read must not be remembered; whoever waits for it is told.
      target.catch(() => cached.delete(endpointId))
      return target
    },
    forget(endpointId) {
      cached.delete(endpointId)
    },
  }
}

async function readTargets(
  db: OutboxDatabase,
  secretStore: SecretStore,
  checkUrl: CheckUrl,
  ids: readonly string[],
): Promise<Map<string, Target>> {
  const { rows } = await db.run(sqlText`
    select endpoint.id as "id", endpoint.version as "version", status, url, retry_schedule as "retrySchedule",
      deadline_ms as "deadlineMs", headers, retry_statuses as "retryStatuses", compat_header as "compatHeader",
      workspace_id as "workspaceId", scheme, keepsend_secrets.version as "secretVersion", secret, key_id as "keyId",
      expires_at as "expiresAt"
    from keepsend_endpoints as endpoint left join keepsend_secrets
      on endpoint_id = endpoint.id and (expires_at is null or expires_at > ${clock()})
    where endpoint.id in (${db.dialect.list([...new Set(ids)])})
    order by endpoint.id, scheme, keepsend_secrets.version desc`)
  const targets = new Map<string, Target & { secrets: TargetSecret[] }>()
  for (const row of rows as unknown as TargetRow[]) {
    let target = targets.get(row.id)
    if (!target) {
      target = {
        id: row.id,
        version: row.version,
        enabled: row.status === 'enabled',
        check: checkUrl(row.url),
        retrySchedule: row.retrySchedule === null ? null : (JSON.parse(row.retrySchedule) as number[]),
        deadlineMs: row.deadlineMs,
        headers: JSON.parse(row.headers) as Record<string, string>,
        retryStatuses: JSON.parse(row.retryStatuses) as number[],
        compatHeader: row.compatHeader,
        secrets: [],
      }
      targets.set(row.id, target)
    }
    if (row.secret === null || row.scheme === null || row.secretVersion === null) continue
    const { workspaceId, scheme, secretVersion: version, keyId, expiresAt } = row
    const secret = secretStore.open({ workspaceId, endpointId: row.id, scheme, version, secret: row.secret, keyId })
    // Whoever signs with it is told; until then nobody waits for it.
    if (typeof secret !== 'string') secret.catch(() => undefined)
    target.secrets.push({ scheme, secret, expiresAt })
  }
  return targets
}

interface TargetRow {
  id: string
  version: number
  status: string
  url: string
  retrySchedule: string | null
  deadlineMs: number | null
  headers: string
  retryStatuses: string
  compatHeader: string | null
  workspaceId: string
  scheme: SignatureScheme | null
  secretVersion: number | null
  secret: string | null
  keyId: string | null
  expiresAt: number | null
}
