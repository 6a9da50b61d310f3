import type { OutboxDatabase } from '@keepsend/outbox'
import { type OptionNames, type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import type { SQL } from 'drizzle-orm'
import { type ActingOption, BY_OPTION, type ByOption } from '../audit/action.ts'
import { EngineError, checkNames } from '../errors.ts'
import { listJobs } from '../jobs/list-jobs.ts'
import type { Page } from '../page.ts'
import { type WorkspaceScope, readScope } from '../workspace-id.ts'
import { type CreateErasureDeps, createErasure, eraseEventStatements } from './create-erasure.ts'
import type { ErasureDryRun, ErasureInput, EraseEvent } from './erasure-input.ts'
import { type Erasure, type ErasurePlan, SHOWN_COLUMNS, toErasure } from './erasure-job.ts'

/** Erasures that were made, until their tombstones end: see docs/erasure.md. */
export interface ErasureStore {
  /** Reads an erasure. @throws {EngineError} `not_retained`: it does not exist, or its tombstone has ended */
  get(workspaceId: WorkspaceScope, id: string): Promise<Erasure>
  /** Lists erasures, the last that was made first. */
  list(workspaceId: WorkspaceScope, options: ErasureListOptions): Promise<Page<Erasure>>
}

export interface ErasureListOptions {
  /** Erasures of a page: 1–1,000. */
  limit: number
  /** The `next` of the page before. */
  before?: string | undefined
}

export const ERASURE_LIST_OPTIONS = { limit: 'number', before: 'text' } satisfies OptionNames<ErasureListOptions>

/** The parts of an engine that erase. */
export interface Erasing {
  readonly erasures: ErasureStore
  /**
   * Erases an event, an endpoint, a range of times or a workspace, for good: the one thing that drops deliveries which were
   * committed. Its first transaction has the tombstone, so that nothing comes back; workers delete the rest in bounded steps.
   *
   * @returns the job; `planned` and `unsettled` say what it found
   * @throws {EngineError} `invalid_request`; `conflict`: the workspace has ten erasures that have not ended
   */
  erase(input: ErasureInput & { dryRun?: false | undefined }, options?: ByOption): Promise<Erasure>
  /** Counts what an erasure would delete, in bounded reads, and writes nothing. */
  erase(input: ErasureInput & { dryRun: true }): Promise<ErasurePlan>
  /**
   * The statements that erase one event, in order, for your own transaction or D1's `batch`: your rows and the event's go
   * together. Workers empty the stored answers of requests that name it, and scrub the log.
   *
   * @throws {EngineError} `invalid_request`
   */
  eraseStatements(event: Omit<EraseEvent, 'what'> & ByOption): SQL[]
}

/** With the option of the route: with `acting` an erasure under an idempotency key is made once. */
export interface IdempotentErasing extends Erasing {
  erase(input: ErasureInput & { dryRun?: false | undefined }, options?: ByOption & ActingOption): Promise<Erasure>
  erase(input: ErasureInput & { dryRun: true }): Promise<ErasurePlan>
}

const BEHIND_ALL = 'era_~'

export function createErasing(db: OutboxDatabase, deps: Omit<CreateErasureDeps, 'db'>): IdempotentErasing {
  async function find(where: SqlText): Promise<Erasure> {
    const { rows } = await db.run(sqlText`select ${SHOWN_COLUMNS} from keepsend_erasures as job where ${where}`)
    if (!rows[0]) throw new EngineError('not_retained', 'this erasure does not exist, or is no longer stored')
    return toErasure(rows[0])
  }

  function erase(input: ErasureInput & { dryRun: true }): Promise<ErasurePlan>
  function erase(
    input: ErasureInput & { dryRun?: false | undefined },
    options?: ByOption & ActingOption,
  ): Promise<Erasure>
  async function erase(
    input: ErasureInput & ErasureDryRun,
    { acting, ...options }: ByOption & ActingOption = {},
  ): Promise<Erasure | ErasurePlan> {
    checkNames('the options of erase', BY_OPTION, options)
    const made = await createErasure({ ...deps, db }, input, { ...options, acting })
    return typeof made === 'string' ? find(sqlText`job.id = ${made}`) : made
  }

  return {
    erase,
    eraseStatements: (event) => eraseEventStatements({ db }, event),
    erasures: {
      async get(scope, id) {
        const workspaceId = readScope(scope)
        const mine = workspaceId === undefined ? raw('') : sqlText`and job.workspace_id = ${workspaceId}`
        return find(sqlText`job.id = ${id} ${mine}`)
      },

      async list(scope, options) {
        checkNames('erasures.list', ERASURE_LIST_OPTIONS, options)
        const { limit, before = BEHIND_ALL } = options
        return listJobs(db, 'keepsend_erasures', { scope, limit, before, columns: SHOWN_COLUMNS, read: toErasure })
      },
    },
  }
}
