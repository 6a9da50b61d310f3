import { type OutboxDatabase, type SqlResult, Transaction } from '@keepsend/outbox'
import { type OptionNames, type SqlText, joined, raw, sqlText, storable } from '@keepsend/outbox/internal'
import { v7 } from 'uuid'
import type { AuditVerb } from '../audit-verbs.ts'
import { checkBounds } from '../errors.ts'
import { characters } from '../formats/characters.ts'
import { firstIdAt } from '../id-at.ts'
import type { IdempotentChange, IdempotentOption } from '../idempotency/idempotent-change.ts'
import type { Logger } from '../logger.ts'

/** The option of every method by which a person acts. */
export interface ByOption {
  /** Who acts, for the audit: at most 200 characters. @default nobody is named */
  by?: string | undefined
}

export const BY_OPTION = { by: 'text' } satisfies OptionNames<ByOption>

export const MAX_BY = 200

/** The caller of a route, and its idempotency key. */
export interface Acting extends IdempotentOption {
  /** Its name, for the audit; it goes before `by`. */
  principal: string | undefined
}

/** The option that the routes add to those of a method. */
export interface ActingOption {
  acting?: Acting | undefined
}

/** An action of a person, and the ids of what it is about. */
export interface Action {
  verb: AuditVerb
  workspaceId: string
  endpointId?: string
  deliveryId?: string
  problemId?: string
  replayId?: string
  erasureId?: string
  apiKeyId?: string
  newApiKeyId?: string
  portalLinkId?: string
}

/** The parts of an engine that record actions. */
export interface ActionDeps {
  db: OutboxDatabase
  logger: Logger
}

/**
 * The transaction of an action of a person: its audit row commits with its change or not at all, and so does the idempotency
 * record of its request. A line is logged after the commit.
 *
 * @example
 * const transaction = new ActionTransaction({ db, logger }, { verb: 'problem.resolve', workspaceId, problemId }, { by, acting })
 * transaction.record(targetIn(db, 'keepsend_problems', where))
 * transaction.add(change)
 * transaction.answer(selected)
 * await transaction.commit(db)
 */
export class ActionTransaction extends Transaction {
  readonly #deps: ActionDeps
  readonly #action: Action
  readonly #by: string | undefined
  readonly #once: IdempotentChange | undefined
  #recorded: SqlResult<{ id: string }> | undefined

  /** @throws {EngineError} `invalid_option` if the name has more than 200 characters */
  constructor(deps: ActionDeps, action: Action, { by, acting }: ByOption & ActingOption) {
    super()
    const { principal = by, once } = acting ?? {}
    checkBy(principal)
    this.#deps = deps
    this.#action = action
    this.#by = principal
    this.#once = once
    once?.begin(this)
  }

  /**
   * Adds the audit row; exactly once.
   *
   * @param target a `select` of the row that the action is about, see {@link targetIn}; if it selects nothing, nothing is recorded
   */
  record(target?: SqlText): this {
    this.#recorded = this.add<{ id: string }>(auditStatement(this.#deps.db, this.#action, this.#by, target))
    return this
  }

  /** Stores the answer of the request under its idempotency key, if it has one: see `IdempotentChange.end`. */
  answer(selected: SqlText): void {
    this.#once?.end(this, selected)
  }

  override async commit(db: OutboxDatabase): Promise<void> {
    if (!this.#recorded) throw new Error(`${this.#action.verb} has no audit row: call record before commit`)
    await super.commit(db)
    const [row] = this.#recorded.rows
    if (!row) return
    const { verb, ...ids } = this.#action
    this.#deps.logger.info({ auditId: row.id, ...ids }, `action recorded: ${verb}`)
  }
}

function checkBy(by: string | undefined): void {
  checkBounds('the length of by', characters(by ?? ''), 0, MAX_BY)
}

/**
 * The audit row of an action, for a transaction of the host's.
 *
 * @param target see {@link ActionTransaction.record}
 * @throws {EngineError} `invalid_option` if the name has more than 200 characters
 */
export function auditStatement(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { verb, workspaceId, ...ids }: Action,
  by: string | undefined,
  target?: SqlText,
): SqlText {
  checkBy(by)
  const principal = by === undefined ? null : storable(by, by.length)
  const texts = [workspaceId, principal, verb, ...IDS.map((name) => ids[name])]
  return sqlText`
      insert into keepsend_audit (id, at, workspace_id, principal, verb,
        endpoint_id, delivery_id, problem_id, replay_id, erasure_id, api_key_id, new_api_key_id, portal_link_id)
      select ${firstIdAt(dialect.name, 'aud_', raw('ms'))} || ${v7().slice(TIME_LENGTH)}, ms,
        ${joined(
          texts.map((text) => sqlText`cast(${text ?? null} as text)`),
          ', ',
        )}
      from keepsend_clock ${target ? sqlText`cross join (${target}) as target` : raw('')}
      returning id`
}

/** In the order of the columns. */
const IDS = [
  'endpointId',
  'deliveryId',
  'problemId',
  'replayId',
  'erasureId',
  'apiKeyId',
  'newApiKeyId',
  'portalLinkId',
] as const

/** The time at the beginning of a UUIDv7: `01890000-0000`. */
const TIME_LENGTH = 13

/**
 * The row of a table that an action is about, for {@link ActionTransaction.record}. On Postgres it is locked, so that of two actions
 * that exclude each other one is recorded.
 */
export function targetIn({ dialect }: Pick<OutboxDatabase, 'dialect'>, table: string, where: SqlText): SqlText {
  return sqlText`select 1 from ${raw(table)} as target where ${where} ${dialect.lock('wait', 'target')}`
}
