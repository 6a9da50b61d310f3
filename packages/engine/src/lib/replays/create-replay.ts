import { type OutboxDatabase, OutboxError } from '@keepsend/outbox'
import { type OptionNames, endpointIdOf, raw, sqlText } from '@keepsend/outbox/internal'
import { v7 } from 'uuid'
import { lockedEndpointsOf } from '../backlog/locks.ts'
import { EngineError, checkBounds, checkNames } from '../errors.ts'
import { type ActingOption, ActionTransaction, BY_OPTION, type ByOption } from '../audit/action.ts'
import type { Logger } from '../logger.ts'
import { checkWorkspaceId } from '../workspace-id.ts'
import type { ReplayPosition } from './commit-step.ts'
import { type DryRunOption, type ReplayInput, type ReplaySelection, checkReplay } from './replay-input.ts'
import { insertReplay } from './insert-replay.ts'
import { findRecent, recentReplay } from './once-per.ts'
import { type ReplayPlan, selectAnswered } from './replay-job.ts'
import { countPlanned } from './replay-plan.ts'
import { rangeOf } from './replay-range.ts'
import type { Searched } from './replay-page.ts'
import type { SourceDeps } from './replay-source.ts'

export interface CreateReplayDeps extends SourceDeps {
  failedRetentionMs: number
  logger: Logger
}

/** Options of making a job. */
export interface CreateReplayOptions extends ByOption {
  /**
   * Refuses the job if another of the same endpoint, or of several endpoints together, was made less than this many ms ago by the
   * database's clock: 1 to 30 days. For customers who start replays themselves. Jobs of one delivery, and those that ended without
   * sending any, do not count. @default not refused
   */
  oncePerMs?: number | undefined
}

export const CREATE_REPLAY_OPTIONS = { oncePerMs: 'number', ...BY_OPTION } satisfies OptionNames<CreateReplayOptions>

// As long as a job is stored.
const MAX_ONCE_PER_MS = 30 * 86_400_000
// Running and paused jobs of a workspace.
const MAX_UNFINISHED = 10
const RETRY_AFTER_SECONDS = 10

/**
 * Makes a job, or counts what it would send.
 *
 * @returns the id of the job; of a dry run its plan
 */
export async function createReplay(
  deps: CreateReplayDeps,
  {
    workspaceId,
    input,
    acting,
    ...options
  }: { workspaceId: string; input: ReplayInput & DryRunOption } & CreateReplayOptions & ActingOption,
): Promise<string | ReplayPlan> {
  const { db } = deps
  checkNames('the options of replays.create', CREATE_REPLAY_OPTIONS, options)
  const { by, oncePerMs } = options
  if (oncePerMs !== undefined) checkBounds('oncePerMs', oncePerMs, 1, MAX_ONCE_PER_MS)
  checkWorkspaceId(workspaceId)
  checkReplay(input)
  const { rate, dryRun, ...selection } = input
  const endpointId = endpointOf(selection)
  // An empty id is no endpoint, and never all of them.
  if (selection.what !== 'ids' && selection.endpointId !== undefined)
    await requireEndpoint(db, { workspaceId, endpointId })
  const { now, sinceAt, untilAt } = await rangeOf(deps, workspaceId, selection)
  const recent = dryRun || oncePerMs === undefined ? undefined : { workspaceId, endpointId, oncePerMs, now }
  // Before the deliveries are counted, and again in the transaction.
  const tooEarly = recent && (await findRecent(db, recent))
  if (tooEarly) throw tooEarly
  const job: Searched = { workspaceId, ...storedOf(selection), sinceAt, untilAt }
  const isWalk = job.ids !== null || endpointId === ''
  const position: ReplayPosition = isWalk ? { open: [], walked: '' } : { open: [[endpointId, '']], walked: null }
  const plan = await countPlanned(deps, job, position)
  if (dryRun) return { ...plan, reachesBackTo: sinceAt === 0 ? null : sinceAt, until: untilAt }

  // By the database's clock, as `created_at`: the range of ids of a time is that time.
  const id = `rep_${v7({ msecs: now })}`
  const isEmpty = plan.planned === 0 && !plan.plannedMore
  const about = endpointId === '' ? {} : { endpointId }
  const transaction = new ActionTransaction(
    deps,
    { verb: 'replay.create', workspaceId, ...about, replayId: id },
    { by, acting },
  )
  // Concurrent creations count one after the other.
  if (db.dialect.name === 'postgres')
    transaction.add(sqlText`select ${lockedEndpointsOf(db, workspaceId, workspaceId)}`)
  const planned = { ...job, ...plan, id, endpointId, rate: rate ?? null, position, isDone: isEmpty }
  const inserted = transaction.add(sqlText`
    ${insertReplay(planned, { now: sqlText`${now}`, until: sqlText`${untilAt}` })}
    where (
      select count(*) from keepsend_replays as other
      where other.workspace_id = ${workspaceId} and other.ended_at is null) < ${MAX_UNFINISHED}
      ${recent ? sqlText`and not exists (${recentReplay(db, recent)})` : raw('')}
    on conflict do nothing returning id`)
  transaction.record(sqlText`select 1 from keepsend_replays where id = ${id}`)
  transaction.answer(selectAnswered(db, sqlText`job.id = ${id}`))
  const why = async (): Promise<EngineError | undefined> =>
    (recent && (await findRecent(db, recent))) ?? whyRefused(db, { workspaceId, endpointId })
  await transaction.commit(db).catch(async (error: unknown) => {
    // Without a row there is no answer to store, which fails the transaction.
    if (acting?.once && !(error instanceof OutboxError)) throw (await why()) ?? error
    throw error
  })
  if (inserted.rows.length > 0) return id
  throw (await why()) ?? new EngineError('conflict', 'another replay has just ended: try again')
}

/** The one endpoint of a replay; '' for several. */
function endpointOf(selection: ReplaySelection): string {
  if (selection.what !== 'ids') return selection.endpointId ?? ''
  const [first = '', ...others] = new Set(selection.ids.map(endpointIdOf))
  return others.length === 0 ? first : ''
}

function storedOf({ what, ...filter }: ReplaySelection): Pick<Searched, 'what' | 'selection' | 'ids'> {
  if ('ids' in filter) return { what, selection: {}, ids: [...new Set(filter.ids)] }
  const given = Object.entries(filter).filter(([, value]) => value !== undefined)
  return { what, selection: Object.fromEntries(given) as Searched['selection'], ids: null }
}

async function requireEndpoint(db: OutboxDatabase, { workspaceId, endpointId }: Owned): Promise<void> {
  const { rows } = await db.run(
    sqlText`select 1 from keepsend_endpoints where id = ${endpointId} and workspace_id = ${workspaceId}`,
  )
  if (!rows[0]) throw new EngineError('not_found', 'no such endpoint')
}

interface Owned {
  workspaceId: string
  endpointId: string
}

/** The error of a job that was not inserted; undefined: the job in its way has ended meanwhile. */
async function whyRefused(db: OutboxDatabase, { workspaceId, endpointId }: Owned): Promise<EngineError | undefined> {
  const { rows } = await db.run<{ id: string; endpointId: string }>(sqlText`
    select id as "id", endpoint_id as "endpointId" from keepsend_replays
    where workspace_id = ${workspaceId} and ended_at is null order by id`)
  const other = rows.find((one) => one.endpointId === endpointId)
  if (other) {
    const of = endpointId === '' ? 'of several endpoints' : 'of this endpoint'
    return new EngineError('conflict', `the replay ${other.id} ${of} has not ended: wait for it, or cancel it`)
  }
  if (rows.length < MAX_UNFINISHED) return undefined
  return new EngineError(
    'too_many_replays',
    `a workspace has at most ${MAX_UNFINISHED} replays that have not ended, and this one has as many: wait for one, or cancel one`,
    { retryAfterSeconds: RETRY_AFTER_SECONDS },
  )
}
