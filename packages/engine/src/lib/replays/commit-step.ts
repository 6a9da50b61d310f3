import { type OutboxDatabase, Transaction } from '@keepsend/outbox'
import { type SqlText, clock, isNullRefused, raw, replayStatement, sqlText } from '@keepsend/outbox/internal'
import { lockEndpoints } from '../backlog/locks.ts'
import { isPaused } from '../backlog/pause.ts'
import { resumeWithin } from '../backlog/resume-due.ts'
import type { HoldReason } from '../outcome.ts'
import { type TakenIds, insertTaken } from './insert-again.ts'
import type { replays } from '../sqlite/tables.ts'
import type { InsertedAgain } from './replay-page.ts'

type Job = typeof replays.$inferSelect

/** The position of a job, as it is stored. */
export type ReplayPosition = Job['position']

/** The values that a step writes. */
export interface Step {
  position: ReplayPosition
  /** When the next step is due, in ms from now; undefined: this is the last. */
  nextInMs: number | undefined
  /** Up to this time the rate is used, ms since the epoch. */
  pacedTo?: number | undefined
  reason?: Job['reason']
  /** The state after the last step. @default 'completed' */
  endsAs?: 'completed' | 'cancelled' | undefined
  /** Deliveries of an endpoint to take; those of one that does not exist are only counted. */
  takes?:
    | {
        ids: readonly string[]
        endpointId: string
        inserts: InsertedAgain | undefined
        exists: boolean
        /** The oldest label of the catalog; undefined: it has no versions. */
        oldest: string | undefined
      }
    | undefined
}

/**
 * Commits a step of a job in one transaction:
 *
 * 1. Compares and raises `step`, and moves the position. If the job is not running, another step was first, or the endpoint takes
 *    nothing now, the step is a null, which the column refuses: nothing of the transaction is committed.
 * 2. Holds the settled rows for a replay, and counts them.
 * 3. Inserts rows again that are gone, as held, and counts them.
 * 4. Counts deliveries without a row as no longer stored. The rest was on its way.
 * 5. Makes the endpoint resume its held rows.
 *
 * @returns whether it was committed
 */
export async function commitStep(
  db: OutboxDatabase,
  { id, workspaceId, untilAt, step }: Pick<Job, 'id' | 'workspaceId' | 'untilAt' | 'step'>,
  { position, nextInMs, pacedTo, reason = null, endsAs = 'completed', takes }: Step,
): Promise<boolean> {
  const transaction = new Transaction()
  if (takes?.exists) transaction.addAll(lockEndpoints(db, [takes.endpointId]))
  const isFirst = sqlText`step = ${step} and state = 'running'`
  const accepts = takes?.exists ? sqlText`and ${acceptsDeliveries(workspaceId, takes.endpointId)}` : raw('')
  const ends = nextInMs === undefined
  transaction.add(sqlText`
    update keepsend_replays set
      step = case when ${isFirst} ${accepts} then step + 1 end,
      position = ${JSON.stringify(position)},
      seen = seen + cast(${takes?.ids.length ?? 0} as bigint),
      reason = ${reason},
      due_at = ${clock()} + cast(${Math.ceil(nextInMs ?? 0)} as bigint)
      ${pacedTo === undefined ? raw('') : sqlText`, paced_to = cast(${Math.ceil(pacedTo)} as bigint)`}
      ${ends ? sqlText`, state = ${endsAs}, ended_at = ${clock()}` : raw('')}
    where id = ${id}`)
  if (takes && takes.ids.length > 0) addTaken(transaction, db, { id, workspaceId, untilAt, step }, takes)
  try {
    await transaction.commit(db)
    return true
  } catch (error) {
    if (isNullRefused(error, 'keepsend_replays', 'step')) return false
    throw error
  }
}

function addTaken(
  transaction: Transaction,
  db: OutboxDatabase,
  { id, workspaceId, untilAt, step }: Pick<Job, 'id' | 'workspaceId' | 'untilAt' | 'step'>,
  { ids, endpointId, inserts, exists, oldest }: NonNullable<Step['takes']>,
): void {
  const job = { id, atStep: step + 1 }
  if (exists) {
    const sent = { ids, workspaceId, endpointId, untilAt, oldest, inserts, holdFor: 'replay' } as const
    addSent(transaction, db, job, sent)
  }
  // Scalar queries: a planner would make a join of a `not exists`.
  transaction.add(sqlText`
    update keepsend_replays set gone = gone + (
      select count(*) from ${db.dialect.rows('wanted', ids, { id: ['text', (one) => one] })}
      where (
        select case when found.workspace_id = ${workspaceId} then 1 end
        from pending_events as found where found.id = wanted.id) is null)
    where ${isAt(job)}`)
  if (exists) transaction.add(resumeWithin(db, endpointId, 0))
}

/** A job, and its number of steps in this transaction. */
interface JobAt {
  id: string
  atStep: number
}

interface Sent extends Omit<TakenIds, 'guard'> {
  inserts: InsertedAgain | undefined
  /** Undefined: they are due now. A `replay` is resumed in batches, so that new events are not delayed. */
  holdFor: HoldReason | undefined
}

/** Makes settled deliveries pending or held, inserts those again that have no row, and adds their number to what the job has sent. */
export function addSent(
  transaction: Transaction,
  db: OutboxDatabase,
  job: JobAt,
  { inserts, holdFor, ...sent }: Sent,
): void {
  const { ids, workspaceId, endpointId, untilAt } = sent
  // The job may have been deleted: then no column refuses anything.
  const guard = sqlText`exists (select 1 from keepsend_replays as job where job.id = ${job.id} and job.step = ${job.atStep})`
  const filter = { ids, workspaceId, endpointId, settledBefore: untilAt }
  addCounted(transaction, db, replayStatement(db, filter, { limit: ids.length, holdFor, guard }), job)
  if (inserts) addCounted(transaction, db, insertTaken(db, { ...sent, guard }, inserts, holdFor), job)
}

function isAt({ id, atStep }: JobAt): SqlText {
  return sqlText`id = ${id} and step = ${atStep}`
}

/** Adds a change that returns ids, and adds their number to what the job has sent. */
function addCounted(transaction: Transaction, { dialect }: OutboxDatabase, change: SqlText, job: JobAt): void {
  if (dialect.name === 'postgres') {
    transaction.add(sqlText`
      with made as (${change})
      update keepsend_replays set sent = sent + (select count(*) from made) where ${isAt(job)}`)
    return
  }
  transaction.add(change)
  transaction.add(sqlText`update keepsend_replays set sent = sent + changes() where ${isAt(job)}`)
}

function acceptsDeliveries(workspaceId: string, endpointId: string): SqlText {
  return sqlText`exists (
        select 1 from keepsend_endpoints as endpoint
        where endpoint.id = ${endpointId} and endpoint.workspace_id = ${workspaceId} and endpoint.status = 'enabled'
          and endpoint.circuit <> 'open' and not ${isPaused('endpoint')})`
}
