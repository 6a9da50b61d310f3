import type { OutboxDatabase } from '@keepsend/outbox'
import {
  BEHIND_EVERY_EVENT,
  type OptionNames,
  type SqlText,
  clock,
  eventRange,
  firstEventIdAt,
  isNullRefused,
  onlyRow,
  raw,
  sqlText,
  toDrizzle,
} from '@keepsend/outbox/internal'
import type { SQL } from 'drizzle-orm'
import { v7 } from 'uuid'
import {
  type ActingOption,
  type ActionDeps,
  ActionTransaction,
  BY_OPTION,
  type ByOption,
  auditStatement,
} from '../audit/action.ts'
import { EngineError, checkNames } from '../errors.ts'
import { countCovered } from './erasure-plan.ts'
import { eventStatements } from './erase-event.ts'
import { type EraseEvent, type ErasureDryRun, type ErasureInput, checkErasure } from './erasure-input.ts'
import { type ErasurePlan, type Job, selectAnswered } from './erasure-job.ts'
import { IS_VALID } from '../portal-links/portal-link.ts'
import { TOMBSTONE_MS } from './erasure-retention.ts'

export interface CreateErasureDeps extends ActionDeps {
  /** Drops an endpoint from caches. */
  forget: (endpointId: string) => void
}

// Unfinished jobs of a workspace, without those of single events.
const MAX_UNFINISHED = 10

/** The parts of a job that are known before it is made. */
type New = Pick<
  Job,
  'id' | 'workspaceId' | 'what' | 'target' | 'fromId' | 'toId' | 'sinceAt' | 'untilAt' | 'createdAt' | 'position'
>

/**
 * Makes a job, or counts what it would delete. Its first transaction has the tombstone; of an event all but the answers, of an
 * endpoint and a workspace also the endpoints and their secrets, the API keys and the portal links.
 *
 * @returns the id of the job; of a dry run its plan
 */
export async function createErasure(
  { forget, ...deps }: CreateErasureDeps,
  input: ErasureInput & ErasureDryRun,
  options: ByOption & ActingOption,
): Promise<string | ErasurePlan> {
  const { db, logger } = deps
  checkErasure(input)
  const { rows } = await db.run<{ now: number }>(sqlText`select ${clock()} as "now"`)
  const job = newJob(input, onlyRow(rows).now)
  const plan = await countCovered(db, job)
  if (input.dryRun) return plan
  const endpointIds = await endpointsOf(db, job)
  const { id: erasureId, workspaceId, what } = job
  const about = what === 'endpoint' ? { endpointId: job.target } : {}
  const transaction = new ActionTransaction(deps, { verb: 'erasure.create', workspaceId, ...about, erasureId }, options)
  transaction.addAll(beginStatements(db, job, plan))
  transaction.record()
  transaction.answer(selectAnswered(db, sqlText`job.id = ${erasureId}`))
  try {
    await transaction.commit(db)
  } catch (error) {
    if (!isNullRefused(error, 'keepsend_erasures', 'id')) throw error
    throw new EngineError(
      'conflict',
      `a workspace has at most ${MAX_UNFINISHED} erasures that have not ended, and this one has as many: wait for one`,
    )
  }
  endpointIds.forEach(forget)
  logger.warn({ erasureId, workspaceId, what, ...plan }, 'erasure began; its unsettled deliveries are dropped')
  return erasureId
}

/**
 * The statements that erase an event, for the host's own transaction. Workers complete the job.
 *
 * @throws {EngineError} `invalid_request`, naming what was found
 */
export function eraseEventStatements(
  { db }: Pick<ActionDeps, 'db'>,
  { by, ...key }: Omit<EraseEvent, 'what'> & ByOption,
): SQL[] {
  checkNames('eraseStatements', ERASE_STATEMENTS_OPTIONS, { by, ...key })
  const input = { ...key, what: 'event' } as const
  checkErasure(input)
  // The database fills in the time.
  const job = newJob(input, 0)
  const { id: erasureId, workspaceId, target } = job
  const ofEvent = sqlText`from pending_events where ${eventRange(target)} and workspace_id = ${workspaceId}`
  const counted = sqlText`(select count(*) ${ofEvent}), (select count(*) ${ofEvent} and completed_at is null), 0`
  return [
    insertStatement(job, counted, clock()),
    auditStatement(db, { verb: 'erasure.create', workspaceId, erasureId }, by),
    ...eventStatements(db, job),
  ].map((statement) => toDrizzle(statement))
}

export const ERASE_STATEMENTS_OPTIONS = {
  workspaceId: 'text',
  eventId: 'text',
  ...BY_OPTION,
} satisfies OptionNames<Omit<EraseEvent, 'what'> & ByOption>

function newJob(input: ErasureInput, now: number): New {
  const common = {
    id: `era_${v7()}`,
    workspaceId: input.workspaceId,
    sinceAt: 0,
    untilAt: now,
    createdAt: now,
  }
  const first = { pass: 1, walk: 0, after: '' }
  switch (input.what) {
    case 'event': {
      const { what, eventId } = input
      // Its first walk is in the transaction that makes the job.
      return { ...common, what, target: eventId, fromId: eventId, toId: `${eventId}/`, position: { ...first, walk: 1 } }
    }
    case 'endpoint':
      return {
        ...common,
        what: input.what,
        target: input.endpointId,
        fromId: '',
        toId: BEHIND_EVERY_EVENT,
        position: first,
      }
    case 'range': {
      const { what, since = 0, until } = input
      const sinceAt = Math.max(0, since)
      const untilAt = Math.max(0, Math.min(until, now))
      const ids = { fromId: firstEventIdAt(sinceAt), toId: firstEventIdAt(untilAt) }
      return { ...common, what, target: '', ...ids, sinceAt, untilAt, position: first }
    }
    case 'workspace':
      return { ...common, what: input.what, target: '', fromId: '', toId: firstEventIdAt(now), position: first }
  }
}

async function endpointsOf(db: OutboxDatabase, { what, workspaceId, target }: New): Promise<string[]> {
  if (what === 'endpoint') return [target]
  if (what !== 'workspace') return []
  const { rows } = await db.run<{ id: string }>(
    sqlText`select id as "id" from keepsend_endpoints where workspace_id = ${workspaceId}`,
  )
  return rows.map(({ id }) => id)
}

function beginStatements(
  db: Pick<OutboxDatabase, 'dialect'>,
  job: New,
  { planned, unsettled, plannedMore }: ErasurePlan,
): SqlText[] {
  const counted = sqlText`${planned}, ${unsettled}, ${plannedMore ? 1 : 0}`
  const statements = [insertStatement(job, counted, sqlText`${job.createdAt}`)]
  if (job.what === 'event') statements.push(...eventStatements(db, job))
  if (job.what === 'endpoint' || job.what === 'workspace') statements.push(...endpointStatements(job))
  return statements
}

/**
 * With as many unfinished jobs as there may be, the id is a null, which the column refuses.
 *
 * @param counted `planned`, `unsettled` and `planned_more`
 * @param now when it is made
 */
function insertStatement(job: New, counted: SqlText, now: SqlText): SqlText {
  const { id, workspaceId, what, target, fromId, toId, sinceAt, untilAt, position } = job
  const hasRoom = sqlText`(
        select count(*) from keepsend_erasures as other
        where other.workspace_id = ${workspaceId} and other.state = 'running' and other.what <> 'event') < ${MAX_UNFINISHED}`
  return sqlText`
    insert into keepsend_erasures (id, workspace_id, what, target, from_id, to_id, since_at, until_at, planned, unsettled,
      planned_more, position, due_at, created_at, guards_until)
    values (case when ${what === 'event' ? raw('1 = 1') : hasRoom} then ${id} end, ${workspaceId}, ${what}, ${target}, ${fromId},
      ${toId}, ${sinceAt}, ${what === 'range' ? sqlText`${untilAt}` : now}, ${counted}, ${JSON.stringify(position)},
      ${now}, ${now}, ${now} + ${raw(String(TOMBSTONE_MS))})`
}

/** Deletes endpoints with their subscriptions and secrets, so that nothing new is made for them; of a workspace also its keys and links. */
function endpointStatements({ what, workspaceId, target }: New): SqlText[] {
  const which = what === 'endpoint' ? sqlText`and id = ${target}` : raw('')
  const these = sqlText`select id from keepsend_endpoints where workspace_id = ${workspaceId} ${which}`
  const statements = [
    sqlText`delete from keepsend_subscriptions where endpoint_id in (${these})`,
    sqlText`delete from keepsend_secrets where endpoint_id in (${these})`,
    sqlText`delete from keepsend_endpoints where workspace_id = ${workspaceId} ${which}`,
  ]
  if (what === 'workspace')
    statements.push(
      sqlText`delete from keepsend_api_keys where workspace_id = ${workspaceId}`,
      // Those that let somebody in; the walk deletes the others.
      sqlText`delete from keepsend_portal_links where workspace_id = ${workspaceId} and ${IS_VALID}`,
      sqlText`delete from keepsend_workspaces where id = ${workspaceId}`,
    )
  return statements
}
