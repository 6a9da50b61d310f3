import { OutboxError } from '@keepsend/outbox'
import { type SqlText, clock, sqlText, storable } from '@keepsend/outbox/internal'
import {
  type Action,
  type ActionDeps,
  type ActingOption,
  ActionTransaction,
  BY_OPTION,
  type ByOption,
  MAX_BY,
  targetIn,
} from '../audit/action.ts'
import { EngineError, checkBounds, checkNames } from '../errors.ts'
import { characters } from '../formats/characters.ts'
import type { HistoryOptions } from '../history/history-options.ts'
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

/**
 * Problems of one workspace, and lists of all, with `history`: see docs/history.md.
 *
 * @throws {EngineError} `not_retained`: there is no such problem, or the engine has no `history`
 */
export interface ProblemStore {
  /** Lists problems, the last seen first. `state` is compared row by row, at most 2,000 a page. */
  list(workspaceId: WorkspaceScope, filter: ProblemFilter): Promise<Page<EndpointProblem>>
  /** Says that somebody works on an open problem, and shows the name of `by`. A resolved one stays as it is. */
  acknowledge(workspaceId: string, id: string, options?: ByOption): Promise<EndpointProblem>
  /** Resolves a problem until its next failed attempt, which opens it again. */
  resolve(workspaceId: string, id: string, options?: ByOption): Promise<EndpointProblem>
}

/** The store with the options of the routes: a change under an idempotency key is made once. */
export interface IdempotentProblemStore extends ProblemStore {
  acknowledge(workspaceId: string, id: string, options?: ByOption & ActingOption): Promise<EndpointProblem>
  resolve(workspaceId: string, id: string, options?: ByOption & ActingOption): Promise<EndpointProblem>
}

const MAX_LIMIT = 1000

export function createProblemStore(deps: ActionDeps, history: HistoryOptions | undefined): IdempotentProblemStore {
  const { db } = deps
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

  async function change(
    { workspaceId, id, verb }: Pick<Action, 'workspaceId' | 'verb'> & { id: string },
    set: SqlText,
    options: ByOption & ActingOption,
  ): Promise<EndpointProblem> {
    const where = isThis(workspaceId, id)
    const { endpointId } = await get(where)
    const transaction = new ActionTransaction(deps, { verb, workspaceId, endpointId, problemId: id }, options)
    transaction.record(targetIn(db, 'keepsend_problems', where))
    transaction.add(sqlText`
      update keepsend_problems set ${set}, state_since = ${clock()}
      where ${where} and not ${isResolved('keepsend_problems')}`)
    transaction.answer(selectAnswered(db, where))
    await transaction.commit(db).catch(async (error: unknown) => {
      // If the problem was deleted meanwhile there is no row to store as the answer, which fails the transaction.
      if (options.acting?.once && !(error instanceof OutboxError)) await get(where)
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

    async acknowledge(workspaceId, id, { acting, ...options } = {}) {
      checkNames('problems.acknowledge', BY_OPTION, options)
      const { by } = options
      checkBounds('the length of by', characters(by ?? ''), 0, MAX_BY)
      const name = by === undefined ? null : storable(by, by.length)
      const set = sqlText`state = 'acknowledged', acknowledged_by = ${name}`
      return change({ workspaceId, id, verb: 'problem.acknowledge' }, set, { ...options, acting })
    },

    async resolve(workspaceId, id, { acting, ...options } = {}) {
      checkNames('problems.resolve', BY_OPTION, options)
      return change({ workspaceId, id, verb: 'problem.resolve' }, sqlText`state = 'resolved'`, { ...options, acting })
    },
  }
}

function notRetained(): EngineError {
  return new EngineError('not_retained', 'this problem does not exist, or is no longer stored')
}
