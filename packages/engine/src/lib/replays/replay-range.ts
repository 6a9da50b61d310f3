import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, eventIdTime, onlyRow, sqlText } from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'
import { hasIndex } from '../has-index.ts'
import type { HistoryOptions } from '../history/history-options.ts'
import { ownRetention } from '../history/workspace-retention.ts'
import { ATTEMPTS_OF_ENDPOINT } from './delivered-page.ts'
import type { ReplaySelection } from './replay-input.ts'

/** The range of times of a job, fixed when it is made: from `sinceAt` on, and before `untilAt`. */
export interface ReplayRange {
  now: number
  sinceAt: number
  untilAt: number
}

interface RangeDeps {
  db: OutboxDatabase
  history: HistoryOptions | undefined
  failedRetentionMs: number
}

// An event that was published within this time of the database's clock may not be committed yet.
const PUBLISH_LAG_MS = 60_000

/**
 * Fixes the range by the database's clock. It does not reach further back than what is retained, and for missed events not
 * further than the oldest event that is recorded.
 *
 * @throws {EngineError} `not_retained`: what it needs is not recorded
 */
export async function rangeOf(
  { db, history, failedRetentionMs }: RangeDeps,
  workspaceId: string,
  selection: ReplaySelection,
): Promise<ReplayRange> {
  const { what } = selection
  const needsHistory = what === 'delivered' || what === 'missed'
  if (needsHistory) await requireHistory(db, history, what)
  const mostMs = history?.retentionMs ?? 0
  const { now, retentionMs, firstEvent } = onlyRow(
    (
      await db.run<{ now: number; retentionMs: number; firstEvent: string | null }>(sqlText`
        select ${clock()} as "now", ${ownRetention(db, 'attempts_ms', { workspaceId, mostMs })} as "retentionMs",
          ${oldestEvent(db, workspaceId)} as "firstEvent"`)
    ).rows,
  )
  if (what === 'ids') return { now, sinceAt: 0, untilAt: now }
  const { since = 0, until = now } = selection
  const newest = what === 'missed' ? now - PUBLISH_LAG_MS : now
  const untilAt = Math.max(0, Math.min(until, newest))
  const least = {
    failed: now - failedRetentionMs,
    delivered: now - retentionMs,
    missed: Math.max(now - retentionMs, firstEvent === null ? newest : eventIdTime(firstEvent)),
    matching: 0,
  }[what]
  return { now, sinceAt: Math.max(0, since, least), untilAt }
}

function oldestEvent({ dialect }: OutboxDatabase, workspaceId: string): SqlText {
  const { where, oldestFirst } = dialect.ofWorkspace(workspaceId, { after: '' })
  return sqlText`(
          select id from keepsend_events ${dialect.by('keepsend_events_workspace')}
          where ${where} order by ${oldestFirst} ${dialect.first(1)})`
}

async function requireHistory(
  db: OutboxDatabase,
  history: HistoryOptions | undefined,
  what: 'delivered' | 'missed',
): Promise<void> {
  if (!history?.events || history.attempts !== 'all')
    throw new EngineError(
      'not_retained',
      `a replay of ${what} deliveries needs history with events: true and attempts: 'all', by which it finds and sends them`,
    )
  if (what === 'delivered' && db.dialect.isBilled && !(await hasIndex(db, ATTEMPTS_OF_ENDPOINT)))
    throw new EngineError(
      'not_retained',
      'a replay of delivered deliveries needs the indexes of 0004_history_lists.sql of @keepsend/engine, which D1 does not have by default: apply them',
    )
}
