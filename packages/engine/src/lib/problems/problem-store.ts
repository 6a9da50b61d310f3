import { type OutboxDatabase, OutboxError, Transaction } from '@keepsend/outbox'
import { type OptionNames, type SqlText, clock, sqlText, storable } from '@keepsend/outbox/internal'
import { EngineError, checkBounds, checkNames } from '../errors.ts'
import { characters } from '../formats/characters.ts'
import type { HistoryOptions } from '../history/history-options.ts'
import type { IdempotentOption } from '../idempotency/idempotent-change.ts'
import type { Page } from '../page.ts'
import { type WorkspaceScope, checkWorkspaceId, readScope } from '../workspace-id.ts'
import {
  type EndpointProblem,
  isResolved,
  problemKeyOf,
  problemRows,
  selectAnswered,
  toProblem,
} from './endpoint-problem.ts'
import { PROBLEM_FILTER, type ProblemFilter, listProblems } from './problem-list.ts'

export interface AcknowledgeOptions {
  /** Who acknowledges it, for people: at most 200 characters. @default nobody is named */
  by?: string | undefined
}

export const ACKNOWLEDGE_OPTIONS = { by: 'text' } satisfies OptionNames<AcknowledgeOptions>

/**
 * Problems of one workspace, and lists of all, with `history`: see docs/history.md.
 *
 * @throws {EngineError} `not_retained`: there is no such problem, or the engine has no `history`
 */
export interface ProblemStore {
  /** Lists problems, the last seen first. `state` is compared row by row, at most 2,000 a page. */
  list(workspaceId: WorkspaceScope, filter: ProblemFilter): Promise<Page<EndpointProblem>>
  /** Says that somebody works on an open problem. A resolved one stays as it is. */
  acknowledge(workspaceId: string, id: string, options?: AcknowledgeOptions): Promise<EndpointProblem>
  /** Resolves a problem until its next failed attempt, which opens it again. */
  resolve(workspaceId: string, id: string): Promise<EndpointProblem>
}

/** The store with the options of the routes: a change under an idempotency key is made once. */
export interface IdempotentProblemStore extends ProblemStore {
  acknowledge(
    workspaceId: string,
    id: string,
    options?: AcknowledgeOptions & IdempotentOption,
  ): Promise<EndpointProblem>
  resolve(workspaceId: string, id: string, options?: IdempotentOption): Promise<EndpointProblem>
}

const MAX_LIMIT = 1000
export const MAX_BY = 200

export function createProblemStore(db: OutboxDatabase, history: HistoryOptions | undefined): IdempotentProblemStore {
  function requireHistory(): HistoryOptions {
    if (history) return history
    throw new EngineError('not_retained', 'problems are not recorded: this engine has no history')
  }

  function isThis(workspaceId: string, id: string): SqlText {
    checkWorkspaceId(workspaceId)
    requireHistory()
    const key = problemKeyOf(id)
    if (!key) throw notRetained()
    const [endpointId, errorClass, httpStatus] = key
    // An expression, for which no planner takes the index of the workspace instead of the primary key.
    return sqlText`endpoint_id = ${endpointId} and error_class = ${errorClass} and http_status = ${httpStatus}
      and workspace_id || '' = ${workspaceId}`
  }

  async function get(where: SqlText): Promise<EndpointProblem> {
    const { rows } = await db.run(sqlText`select ${problemRows.all} from keepsend_problems where ${where}`)
    if (!rows[0]) throw notRetained()
    return toProblem(rows[0])
  }

  async function change(where: SqlText, set: SqlText, { once }: IdempotentOption): Promise<EndpointProblem> {
    await get(where)
    const transaction = new Transaction()
    once?.begin(transaction)
    transaction.add(sqlText`
      update keepsend_problems set ${set}, state_since = ${clock()}
      where ${where} and not ${isResolved('keepsend_problems')}`)
    once?.end(transaction, selectAnswered(db, where))
    await transaction.commit(db).catch(async (error: unknown) => {
      // If the problem was deleted meanwhile there is no row to store as the answer, which fails the transaction.
      if (once && !(error instanceof OutboxError)) await get(where)
      throw error
    })
    return get(where)
  }

  return {
    async list(scope, filter) {
      checkNames('problems.list', PROBLEM_FILTER, filter)
      const workspaceId = readScope(scope)
      checkBounds('limit', filter.limit, 1, MAX_LIMIT)
      const { retentionMs } = requireHistory()
      return listProblems(db, workspaceId, { ...filter, retentionMs })
    },

    async acknowledge(workspaceId, id, { once, ...options } = {}) {
      checkNames('problems.acknowledge', ACKNOWLEDGE_OPTIONS, options)
      const { by } = options
      checkBounds('the length of by', characters(by ?? ''), 0, MAX_BY)
      const name = by === undefined ? null : storable(by, by.length)
      return change(isThis(workspaceId, id), sqlText`state = 'acknowledged', acknowledged_by = ${name}`, { once })
    },

    async resolve(workspaceId, id, { once } = {}) {
      return change(isThis(workspaceId, id), sqlText`state = 'resolved'`, { once })
    },
  }
}

function notRetained(): EngineError {
  return new EngineError('not_retained', 'this problem does not exist, or is no longer stored')
}
