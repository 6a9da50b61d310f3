import { type OutboxDatabase, sqlText } from '@keepsend/outbox'
import type { CheckUrl, UrlCheck } from './check-url.ts'

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
  /** Newest first; each signs until it expires. */
  secrets: readonly { secret: string; expiresAt: number | null }[]
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

export function createTargets(db: OutboxDatabase, checkUrl: CheckUrl, monotonic: () => number): Targets {
  const cached = new Map<string, { readAt: number; target: Promise<Target | undefined> }>()
  let wanted: { ids: string[]; read: Promise<Map<string, Target>> } | undefined

  function load(endpointId: string): Promise<Target | undefined> {
    if (!wanted) {
      const ids: string[] = []
      const read = Promise.resolve().then(() => {
        wanted = undefined
        return readTargets(db, checkUrl, ids)
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
  checkUrl: CheckUrl,
  ids: readonly string[],
): Promise<Map<string, Target>> {
  const { rows } = await db.run(sqlText`
    select endpoint.id as "id", endpoint.version as "version", status, url, retry_schedule as "retrySchedule",
      deadline_ms as "deadlineMs", headers, retry_statuses as "retryStatuses", secret, expires_at as "expiresAt"
    from keepsend_endpoints as endpoint left join keepsend_secrets on endpoint_id = endpoint.id
    where endpoint.id in (${db.dialect.list([...new Set(ids)])})
    order by endpoint.id, keepsend_secrets.version desc`)
  const targets = new Map<string, Target & { secrets: { secret: string; expiresAt: number | null }[] }>()
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
        secrets: [],
      }
      targets.set(row.id, target)
    }
    if (row.secret !== null) target.secrets.push({ secret: row.secret, expiresAt: row.expiresAt })
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
  secret: string | null
  expiresAt: number | null
}
