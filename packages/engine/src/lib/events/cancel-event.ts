import { type OutboxDatabase, OutboxError, Transaction } from '@keepsend/outbox'
import {
  CANCELLED,
  type SqlText,
  cancelStatement,
  eventRange,
  isEventId,
  onlyRow,
  raw,
  sqlText,
} from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'
import type { HistoryOptions } from '../history/history-options.ts'
import type { IdempotentOption } from '../idempotency/idempotent-change.ts'
import type { Logger } from '../logger.ts'
import { checkWorkspaceId } from '../workspace-id.ts'

/** The deliveries of an event that was cancelled. */
export interface CancelResult {
  /** Cancelled, by this call or an earlier one. */
  cancelled: number
  /** In flight, attempted, or settled otherwise; a delivered one counts only with `history`. */
  tooLate: number
}

interface Key {
  workspaceId: string
  eventId: string
}

/** `engine.cancelEvent`, with the option of the route: under an idempotency key the answer is stored. */
export type CancelEvent = (workspaceId: string, eventId: string, options?: IdempotentOption) => Promise<CancelResult>

// Rows of one statement: about 20 ms on SQLite, in which no other writer gets in.
const BATCH = 500

export function createCancelEvent(
  db: OutboxDatabase,
  history: HistoryOptions | undefined,
  logger: Logger,
): CancelEvent {
  return async (workspaceId, eventId, { once } = {}) => {
    checkWorkspaceId(workspaceId)
    if (!isEventId(eventId)) throw notRetained()
    const key = { workspaceId, eventId }
    // Each batch commits by itself, and a repeat continues: what is cancelled stays so.
    let changed = 0
    for (let batch = BATCH; batch === BATCH; changed += batch)
      batch = (await db.run(cancelStatement(db, { ...key, limit: BATCH }))).changes
    if (changed > 0)
      logger.info({ eventId, workspaceId, cancelled: changed }, 'event cancelled; its waiting deliveries were not sent')
    if (once) {
      const transaction = new Transaction()
      once.begin(transaction)
      once.end(
        transaction,
        sqlText`
        select cancelled || ' ' || too_late from (${countsOf(db, history, key)}) as counts where cancelled > 0 or too_late = 0 and known = 1`,
      )
      try {
        await transaction.commit(db)
      } catch (error) {
        // Without a count there is no text to store as the answer, which fails the transaction: the look below says why.
        if (error instanceof OutboxError) throw error
        await look(key)
        throw error
      }
    }
    return look(key)
  }

  async function look(key: Key): Promise<CancelResult> {
    const { rows } = await db.run<Record<'cancelled' | 'tooLate' | 'known', number | string>>(sqlText`
      select cancelled, too_late as "tooLate", known from (${countsOf(db, history, key)}) as counts`)
    const found = onlyRow(rows)
    const [cancelled, tooLate] = [Number(found.cancelled), Number(found.tooLate)]
    if (cancelled > 0) return { cancelled, tooLate }
    if (tooLate > 0)
      throw new EngineError(
        'conflict',
        'it is too late to cancel the event: an attempt of each of its deliveries was made or has begun',
      )
    if (Number(found.known) === 0) throw notRetained()
    return { cancelled, tooLate }
  }
}

/** Parses the answer that a cancelled event stored. */
export function readCancelled(answer: string): CancelResult {
  const [cancelled = 0, tooLate = 0] = answer.split(' ').map(Number)
  return { cancelled, tooLate }
}

/** `cancelled`, `too_late`, and 1 as `known` if the event is recorded, which one without receivers may be. */
function countsOf(
  { dialect }: OutboxDatabase,
  history: HistoryOptions | undefined,
  { workspaceId, eventId }: Key,
): SqlText {
  const isDelivered = sqlText`
        select count(distinct attempt.delivery_id) from keepsend_attempts as attempt ${dialect.by('keepsend_attempts_delivery')}
        where attempt.delivery_id > ${`${eventId}.`} and attempt.delivery_id < ${`${eventId}/`}
          and case when attempt.workspace_id = ${workspaceId} and attempt.outcome = 'delivered' then (
            select standing.id from pending_events as standing where standing.id = attempt.delivery_id) is null else 1 = 0 end`
  const isKnown = sqlText`select count(*) from keepsend_events where id = ${eventId} and workspace_id = ${workspaceId}`
  return sqlText`
      select count(case when status = 'failed' and last_error = ${CANCELLED} then 1 end) as cancelled,
        count(case when status = 'failed' and last_error = ${CANCELLED} then null else id end)
          + (${history ? isDelivered : raw('0')}) as too_late,
        (${history?.events ? isKnown : raw('0')}) as known
      from pending_events where ${eventRange(eventId)} and workspace_id = ${workspaceId}`
}

function notRetained(): EngineError {
  return new EngineError('not_retained', 'this event does not exist, or none of its deliveries is still stored')
}
