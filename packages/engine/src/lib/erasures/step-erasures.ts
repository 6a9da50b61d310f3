import type { OutboxDatabase } from '@keepsend/outbox'
import { type OptionNames, type Row, sqlText } from '@keepsend/outbox/internal'
import { checkBounds, checkNames } from '../errors.ts'
import { claimJobs, nextDue } from '../jobs/due-jobs.ts'
import { type Logger, errorFields } from '../logger.ts'
import { type Step, commitStep } from './commit-step.ts'
import { type Job, erasureRows } from './erasure-job.ts'
import { WALKS } from './walks.ts'

export interface StepErasuresOptions {
  /** Jobs that one call steps: 1–100. @default 10 */
  limit?: number | undefined
  /** Pages of a job in one call, each of at most 100 rows to delete: 1–1,000. @default 20 */
  pages?: number | undefined
}

export const STEP_ERASURES_OPTIONS = { limit: 'number', pages: 'number' } satisfies OptionNames<StepErasuresOptions>

export interface StepErasuresResult {
  /** Jobs that were completed. */
  completed: string[]
  /** The time until the next step is due, in ms from now; null: no job is running. */
  nextMs: number | null
}

interface StepDeps {
  db: OutboxDatabase
  logger: Logger
}

// No transaction that publishes is open for longer: as replays of missed events assume it.
const LATE_MS = 60_000
const LOG_RETRY_MS = 5000
const PASSES = 2

/**
 * Makes steps of each erasure that is due. Two processes do not step one job together: each first moves `due_at` ahead; and whatever
 * happens, `commitStep` lets one of them through.
 */
export async function stepErasures(
  { db, logger }: StepDeps,
  options: StepErasuresOptions = {},
): Promise<StepErasuresResult> {
  checkNames('engine.worker.stepErasures', STEP_ERASURES_OPTIONS, options)
  const { limit = 10, pages = 20 } = options
  checkBounds('limit', limit, 1, 100)
  checkBounds('pages', pages, 1, 1000)
  const completed: string[] = []
  const dueInMs = await nextDue(db, 'keepsend_erasures')
  if (dueInMs === null || dueInMs > 0) return { completed, nextMs: dueInMs }
  for (const row of await claimJobs(db, 'keepsend_erasures', { columns: erasureRows.all, limit })) {
    const erasureId = String(row['id'])
    try {
      // Here: a row that was broken by hand stops its own job alone.
      if (!(await stepJob(db, erasureRows.read(row), pages))) continue
      completed.push(erasureId)
      logger.info({ erasureId, ...(await countsOf(db, erasureId)) }, 'erasure completed')
    } catch (error) {
      logger.error({ erasureId, ...errorFields(error) }, 'a step of an erasure failed; retrying')
    }
  }
  return { completed, nextMs: await nextDue(db, 'keepsend_erasures') }
}

async function countsOf(db: OutboxDatabase, id: string): Promise<Row | undefined> {
  const { rows } = await db.run(sqlText`
    select ${erasureRows.some('job', ['workspaceId', 'what', 'dropped', 'deliveries', 'attempts', 'events', 'answers'])}
    from keepsend_erasures as job where id = ${id}`)
  return rows[0]
}

/** @returns whether the job was completed */
async function stepJob(db: OutboxDatabase, job: Job, pages: number): Promise<boolean> {
  const walks = WALKS[job.what]
  let { position, step, reason } = job
  let isStored = true
  const commit = async (made: Omit<Step, 'position'>): Promise<boolean> => {
    const isCommitted = await commitStep(db, { id: job.id, step }, { position, ...made })
    step++
    isStored = true
    return isCommitted
  }
  for (let read = 0; read < pages; read++) {
    const walk = walks[position.walk]
    if (!walk && position.pass === PASSES) {
      const isScrubbed = (await db.scrub?.()) ?? true
      if (isScrubbed) return commit({ statements: [], nextInMs: undefined })
      await commit({ statements: [], nextInMs: LOG_RETRY_MS, reason: 'log_in_use' })
      return false
    }
    if (!walk) {
      if (reason !== 'late_transactions') {
        await db.scrub?.()
        await commit({ statements: [], nextInMs: LATE_MS, reason: 'late_transactions' })
        return false
      }
      position = { pass: position.pass + 1, walk: 0, after: '' }
      reason = null
      isStored = false
      continue
    }
    const page = await walk(db, job, position.after)
    position = page.isLast ? { ...position, walk: position.walk + 1, after: '' } : { ...position, after: page.after }
    isStored = false
    // A page without rows is not written.
    if (page.statements.length > 0 && !(await commit({ statements: page.statements, nextInMs: 0 }))) return false
  }
  if (!isStored) await commit({ statements: [], nextInMs: 0 })
  return false
}
