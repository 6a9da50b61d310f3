import { type OutboxDatabase, OutboxError } from '@keepsend/outbox'
import { type OptionNames, type SqlText, clock, raw, sqlText } from '@keepsend/outbox/internal'
import { EngineError, checkNames } from '../errors.ts'
import { type ActingOption, ActionTransaction, BY_OPTION, type ByOption } from '../audit/action.ts'
import { listJobs } from '../jobs/list-jobs.ts'
import type { Page } from '../page.ts'
import { type WorkspaceScope, checkWorkspaceId, readScope } from '../workspace-id.ts'
import { type CreateReplayDeps, type CreateReplayOptions, createReplay } from './create-replay.ts'
import type { DryRunOption, ReplayInput } from './replay-input.ts'
import { type ReplayJob, type ReplayPlan, SHOWN_COLUMNS, selectAnswered, toJob } from './replay-job.ts'

/** Jobs that send deliveries again: see docs/replay.md. */
export interface ReplayStore {
  /**
   * Makes a job that sends deliveries again, under their ids and `webhook-id`; workers make its steps. Which deliveries is fixed
   * now: what fails or is published later is not taken. A job with nothing to send is completed.
   *
   * @throws {EngineError} `not_found`: no such endpoint; `not_retained`: the engine has no `history` that records what it needs;
   *   `conflict`: the endpoint has an unfinished job, or several endpoints have one together; `too_many_replays`: the workspace
   *   has ten, or `oncePerMs` has not passed, and the error says when the next may begin
   */
  create(
    workspaceId: string,
    input: ReplayInput & { dryRun?: false | undefined },
    options?: CreateReplayOptions,
  ): Promise<ReplayJob>
  /** Counts what a job would send, in bounded reads, and writes nothing. */
  create(workspaceId: string, input: ReplayInput & { dryRun: true }): Promise<ReplayPlan>
  /** Reads a job. @throws {EngineError} `not_retained`: it does not exist, or ended 30 days ago */
  get(workspaceId: WorkspaceScope, id: string): Promise<ReplayJob>
  /** Lists jobs, the last that was made first. */
  list(workspaceId: WorkspaceScope, options: ReplayListOptions): Promise<Page<ReplayJob>>
  /** Stops a running job until it is resumed. @throws {EngineError} `not_retained`; `conflict`: it has ended */
  pause(workspaceId: string, id: string, options?: ByOption): Promise<ReplayJob>
  /** Continues a paused job. @throws {EngineError} `not_retained`; `conflict`: it has ended */
  resume(workspaceId: string, id: string, options?: ByOption): Promise<ReplayJob>
  /**
   * Ends a job. Deliveries of its last step are sent; the others stay as they are.
   *
   * @throws {EngineError} `not_retained`; `conflict`: it is completed
   */
  cancel(workspaceId: string, id: string, options?: ByOption): Promise<ReplayJob>
}

export interface ReplayListOptions {
  /** Jobs of a page: 1–1,000. */
  limit: number
  /** The `next` of the page before. */
  before?: string | undefined
}

export const REPLAY_LIST_OPTIONS = { limit: 'number', before: 'text' } satisfies OptionNames<ReplayListOptions>

/** The store with the options of the routes: with `acting` a change under an idempotency key is made once. */
export interface IdempotentReplayStore extends ReplayStore {
  create(
    workspaceId: string,
    input: ReplayInput & { dryRun?: false | undefined },
    options?: CreateReplayOptions & ActingOption,
  ): Promise<ReplayJob>
  create(workspaceId: string, input: ReplayInput & { dryRun: true }): Promise<ReplayPlan>
  pause(workspaceId: string, id: string, options?: ByOption & ActingOption): Promise<ReplayJob>
  resume(workspaceId: string, id: string, options?: ByOption & ActingOption): Promise<ReplayJob>
  cancel(workspaceId: string, id: string, options?: ByOption & ActingOption): Promise<ReplayJob>
}

/** The changes that a person makes: the state that the job gets, and the other columns that are set. */
const MOVES = {
  pause: { to: 'paused', from: raw(`state = 'running'`), set: raw('reason = null') },
  // A wait is not made up for.
  resume: { to: 'running', from: raw(`state = 'paused'`), set: sqlText`due_at = ${clock()}, paced_to = ${clock()}` },
  cancel: { to: 'cancelled', from: raw('ended_at is null'), set: sqlText`reason = null, ended_at = ${clock()}` },
} as const

export function createReplayStore(db: OutboxDatabase, deps: Omit<CreateReplayDeps, 'db'>): IdempotentReplayStore {
  async function find(where: SqlText): Promise<ReplayJob> {
    const { rows } = await db.run(sqlText`select ${SHOWN_COLUMNS} from keepsend_replays as job where ${where}`)
    if (!rows[0]) throw new EngineError('not_retained', 'this replay does not exist, or is no longer stored')
    return toJob(rows[0])
  }

  function isThis(workspaceId: string, id: string): SqlText {
    checkWorkspaceId(workspaceId)
    return sqlText`job.id = ${id} and job.workspace_id = ${workspaceId}`
  }

  async function move(
    workspaceId: string,
    id: string,
    verb: keyof typeof MOVES,
    { acting, ...options }: ByOption & ActingOption,
  ): Promise<ReplayJob> {
    checkNames(`replays.${verb}`, BY_OPTION, options)
    const { to, from, set } = MOVES[verb]
    const where = isThis(workspaceId, id)
    const check = async (): Promise<ReplayJob> => {
      const job = await find(where)
      if (job.endedAt === null || job.state === to) return job
      throw new EngineError('conflict', `the replay is ${job.state}: only one that has not ended can be ${to}`)
    }
    await check()
    const action = { verb: `replay.${verb}`, workspaceId, replayId: id } as const
    const transaction = new ActionTransaction({ ...deps, db }, action, { ...options, acting })
    transaction.record(sqlText`
      select 1 from keepsend_replays as job where ${where} and ${from} ${db.dialect.lock('wait', 'job')}`)
    transaction.add(sqlText`
      update keepsend_replays as job set state = ${to}, ${set} where ${where} and ${from}`)
    transaction.answer(selectAnswered(db, sqlText`${where} and job.state = ${to}`))
    await transaction.commit(db).catch(async (error: unknown) => {
      // If the job has ended meanwhile there is no row to store as the answer, which fails the transaction.
      if (acting?.once && !(error instanceof OutboxError)) await check()
      throw error
    })
    return check()
  }

  function create(workspaceId: string, input: ReplayInput & { dryRun: true }): Promise<ReplayPlan>
  function create(
    workspaceId: string,
    input: ReplayInput & { dryRun?: false | undefined },
    options?: CreateReplayOptions & ActingOption,
  ): Promise<ReplayJob>
  async function create(
    workspaceId: string,
    input: ReplayInput & DryRunOption,
    options: CreateReplayOptions & ActingOption = {},
  ): Promise<ReplayJob | ReplayPlan> {
    const made = await createReplay({ db, ...deps }, { workspaceId, input, ...options })
    return typeof made === 'string' ? find(isThis(workspaceId, made)) : made
  }

  return {
    create,

    async get(scope, id) {
      const workspaceId = readScope(scope)
      return find(workspaceId === undefined ? sqlText`job.id = ${id}` : isThis(workspaceId, id))
    },

    async list(scope, options) {
      checkNames('replays.list', REPLAY_LIST_OPTIONS, options)
      const { limit, before = BEHIND_ALL } = options
      return listJobs(db, 'keepsend_replays', { scope, limit, before, columns: SHOWN_COLUMNS, read: toJob })
    },

    pause: (workspaceId, id, options = {}) => move(workspaceId, id, 'pause', options),
    resume: (workspaceId, id, options = {}) => move(workspaceId, id, 'resume', options),
    cancel: (workspaceId, id, options = {}) => move(workspaceId, id, 'cancel', options),
  }
}

const BEHIND_ALL = 'rep_~'
