import type { FindOptions, OutboxDatabase } from '@keepsend/outbox'
import { sqlText } from '@keepsend/outbox/internal'
import type { ApiKeys } from '../access/api-keys.ts'
import type { AuditStore } from '../audit/audit-store.ts'
import type { EndpointStore } from '../endpoints/endpoint-store-api.ts'
import { EngineError } from '../errors.ts'
import { hasIndex } from '../has-index.ts'
import { type AttemptStore, createAttemptStore } from '../history/attempt-list.ts'
import { type HistoryOptions, MAX_RETENTION_MS, readHistory } from '../history/history-options.ts'
import type { Page } from '../page.ts'
import { listOldestProblems } from '../problems/problem-list.ts'
import type { PortalLinks } from '../portal-links/portal-links.ts'
import type { ReplayStore } from '../replays/replay-store.ts'
import type { TimeRange } from '../time-range.ts'
import type { ExportKind, ExportPage } from './export-position.ts'
import { deliveriesPage, eventsPage } from './exported-payloads.ts'

/** The parts of an engine that an export reads. */
export interface ExportedParts {
  db: OutboxDatabase
  history: HistoryOptions | undefined
  /** How to find the deliveries of a workspace in any state. */
  anyState: () => Promise<FindOptions['by']>
  stores: () => {
    endpoints: Pick<EndpointStore, 'list'>
    apiKeys: Pick<ApiKeys, 'list'>
    portalLinks: Pick<PortalLinks, 'list'>
    replays: Pick<ReplayStore, 'list'>
    audit: Pick<AuditStore, 'list'>
  }
}

/** How to read a page of each kind from a position on, in at most two statements on D1 and three elsewhere. */
export type ExportedKinds = Record<ExportKind, (position: string | undefined) => Promise<ExportPage>>

// With the longest responses, 64 KiB, a page has 13 MB.
const LIMIT = 200

/** @throws {EngineError} `not_retained`: D1 lacks the index by which the delivered attempts of a workspace are found */
export async function exportedKinds(
  { db, history, anyState, stores }: ExportedParts,
  { workspaceId, since, until }: TimeRange & { workspaceId: string },
): Promise<ExportedKinds> {
  const attempts = await allAttempts(db, history)
  const { endpoints, apiKeys, portalLinks, replays, audit } = stores()
  return {
    async workspace() {
      const { rows } = await db.run(sqlText`
        select id as "id", attempts_ms as "attemptsMs", bodies_ms as "bodiesMs" from keepsend_workspaces where id = ${workspaceId}`)
      return { rows, next: undefined }
    },
    endpoint: async (after) => pageOf(await endpoints.list(workspaceId, { limit: LIMIT, after })),
    api_key: async (after) => pageOf(await apiKeys.list(workspaceId, { limit: LIMIT, after })),
    portal_link: (cursor): Promise<Page<object>> => portalLinks.list(workspaceId, { limit: LIMIT, cursor }),
    delivery: (before) => deliveriesPage(db, anyState, { workspaceId, since, until, before }),
    event: (before) => eventsPage(db, { workspaceId, since, until, before }),
    attempt: (before): Promise<Page<object>> => attempts.list(workspaceId, { limit: LIMIT, before, since, until }),
    problem: (after) => listOldestProblems(db, workspaceId, { limit: LIMIT, after, since, until }),
    async replay(before) {
      const { rows, next } = await replays.list(workspaceId, { limit: LIMIT, before })
      return { rows: rows.filter(({ createdAt }) => isBetween(createdAt, { since, until })), next }
    },
    audit: (before) => audit.list(workspaceId, { limit: LIMIT, before, since, until }),
  }
}

function pageOf(rows: readonly { id: string }[]): ExportPage {
  return { rows, next: rows.length === LIMIT ? rows.at(-1)?.id : undefined }
}

function isBetween(time: number, { since = -Infinity, until = Infinity }: TimeRange): boolean {
  return time >= since && time < until
}

/** The list of every attempt, also of an engine whose history is off by now. */
async function allAttempts(db: OutboxDatabase, history: HistoryOptions | undefined): Promise<AttemptStore> {
  const { isBilled } = db.dialect
  const recorded = history ?? readHistory({ retentionMs: MAX_RETENTION_MS }, isBilled)
  if (!isBilled || (await hasIndex(db, 'keepsend_attempts_workspace')))
    return createAttemptStore(db, recorded && { ...recorded, attempts: 'all' })
  if (recorded?.attempts === 'failed') return createAttemptStore(db, recorded)
  throw new EngineError(
    'not_retained',
    'an export of delivered attempts needs the indexes of 0004_history_lists.sql of @keepsend/engine, which D1 does not have by default: apply them first',
  )
}
