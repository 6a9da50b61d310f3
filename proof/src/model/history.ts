import type { DeliveryOutcome } from '@keepsend/engine'
import { attemptRecords } from '@keepsend/engine/internal'
import type { ClaimRef, OutboxDatabase } from '@keepsend/outbox'
import { type ClaimRecords, raw } from '@keepsend/outbox/internal'
import type { Ending } from './state.ts'

const HISTORY = {
  attempts: 'all',
  responses: 'none',
  bodyBytes: 0,
  events: false,
  search: [],
  statistics: false,
  retentionMs: 86_400_000,
  bodiesRetentionMs: 86_400_000,
} as const

const RECORD = { startedAt: 0, tookMs: 0, url: '' }

/** How the engine says an ending. A hold is of a row without an attempt. */
const OUTCOMES: Record<Ending, DeliveryOutcome> = {
  complete: { kind: 'complete', httpStatus: 200, record: RECORD },
  fail: { kind: 'fail', error: 'HTTP 400', record: RECORD },
  retry: { kind: 'reschedule', delayMs: 0, deferral: false, error: 'HTTP 500', record: RECORD },
  defer: { kind: 'reschedule', delayMs: 0, deferral: true, error: 'HTTP 429', record: RECORD },
  hold: { kind: 'hold', reason: 'endpoint_disabled' },
}

type EndedClaim = ClaimRef & { ending: Ending }

/** The attempts of a settle, as the engine with history records them. */
export function recordsOfEndings(db: OutboxDatabase, ended: readonly EndedClaim[]): ClaimRecords | undefined {
  return attemptRecords(
    db,
    HISTORY,
    ended.map(({ id, gen, ending }) => ({ claim: { id, gen }, outcome: OUTCOMES[ending] })),
  )
}

/** The claims that are current, as `<id>#<gen>`. */
export async function currentClaims(db: OutboxDatabase): Promise<ReadonlySet<string>> {
  const { rows } = await db.run<ClaimRef>(raw(`select id, gen from pending_events where status = 'pending'`))
  return new Set(rows.map(({ id, gen }) => `${id}#${gen}`))
}

/**
 * Reads and removes the attempts that a settle has recorded. Returns the fault: there is one for each of its claims that was
 * current, with an ending that has an attempt, and no other.
 */
export async function faultOfAttempts(
  db: OutboxDatabase,
  ended: readonly EndedClaim[],
  current: ReadonlySet<string>,
): Promise<string | undefined> {
  const { rows } = await db.run<ClaimRef>(raw('delete from keepsend_attempts returning delivery_id as id, gen'))
  const found = rows.map(({ id, gen }) => `${id}#${gen}`).toSorted()
  const attempted = ended.filter(({ ending }) => ending !== 'hold').map(({ id, gen }) => `${id}#${gen}`)
  const owed = attempted.filter((claim) => current.has(claim)).toSorted()
  if (found.join() === owed.join()) return undefined
  return `an attempt if, and only if, its settle stands: ${found.join() || 'none'} recorded, ${owed.join() || 'none'} stood`
}
