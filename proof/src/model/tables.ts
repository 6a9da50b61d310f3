import {
  type OutboxDatabase,
  type PendingEvent,
  claimDueEvents,
  cleanupPayloads,
  enqueueEvents,
  sweepPendingEvents,
} from '@keepsend/outbox'
import { CANCELLED, EXPIRED, pendingEvents, readPendingEvents } from '@keepsend/outbox/internal'
import { migrateEngine } from '@keepsend/engine'
import Database from 'better-sqlite3'
import { type Mutant, assertMutated, mutate } from '../lib/mutants.ts'
import { synchronously, useClock } from '../lib/virtual-clock.ts'
import { faultOfIndexes, faultOfRow, faultOfStep } from './invariants.ts'
import { faultOfCancel } from './cancel.ts'
import { LIMIT_TICKS, faultOfExpiry } from './expire.ts'
import { BASE_MS, type Row, type Scenario, TICK_MS, type Table } from './state.ts'
import { ENDPOINT, IDS, PAYLOAD, type Verb, eventOf, numberOf, tickOf } from './verbs.ts'

/** A rule that was broken. */
export class Violation extends Error {}

export interface Applied {
  table: number
  answer: unknown
}

// A sweep's lease doubles at most eight times; no row waits longer.
const MOST_AHEAD_MS = 256 * 4 * TICK_MS
const MUCH_LATER_MS = 600_000 * TICK_MS

/**
 * The tables that were seen, each with a number, and the effect of each verb on each. A verb runs on real SQL the first
 * time it meets a table, and is looked up afterwards, because the same statements on the same rows have the same
 * effect.
 */
export class Tables {
  readonly #connection = new Database(':memory:')
  readonly #plain: OutboxDatabase
  readonly #db: OutboxDatabase
  readonly #counts: readonly number[]
  readonly #mutant: Mutant | undefined
  readonly #scenario: Scenario
  readonly #numbers = new Map<string, number>()
  readonly #texts: string[] = []
  readonly #tables: Table[] = []
  readonly #applied: Map<string, Applied>[] = []
  #now = BASE_MS
  #loaded = -1
  /** Verbs that ran on SQL. */
  calls = 0

  constructor(scenario: Scenario, mutant?: Mutant) {
    this.#scenario = scenario
    this.#mutant = mutant
    this.#plain = synchronously(this.#connection)
    const mutated = mutant && mutate(this.#plain, mutant)
    this.#db = mutated?.db ?? this.#plain
    this.#counts = mutated?.counts ?? []
  }

  get size(): number {
    return this.#tables.length
  }

  /** The first rows, inserted by Keepsend. */
  async first(): Promise<number> {
    await migrateEngine(this.#plain)
    // The first hourly passes begin an hour from here.
    this.#connection.exec(`update keepsend_sweep_pass set began_at = ${BASE_MS}, expiry_ended_at = ${BASE_MS}`)
    useClock(this.#connection, () => this.#now)
    const events = Array.from({ length: this.#scenario.rows }, (_, row) => eventOf(row, this.#scenario))
    await enqueueEvents(this.#db, events)
    if (this.#scenario.limits)
      this.#connection.exec(`update pending_events set expires_at = created_at + ${LIMIT_TICKS * TICK_MS}`)
    return this.#read(0)
  }

  table(number: number): Table {
    return this.#tables[number] as Table
  }

  /** The same rows, a tick later. */
  async later(number: number): Promise<number> {
    const known = this.#applied[number]?.get('tick')
    if (known) return known.table
    const { clock, rows } = this.table(number)
    const table = await this.#number({ clock: clock + 1, rows })
    this.#applied[number]?.set('tick', { table, answer: undefined })
    return table
  }

  /** The verb's earlier effect, if it has met this table. */
  known(number: number, verb: Verb<unknown>): Applied | undefined {
    return this.#applied[number]?.get(verb.key)
  }

  /** @throws {Violation} */
  async apply(number: number, verb: Verb<unknown>): Promise<Applied> {
    const before = this.table(number)
    this.#load(number)
    this.calls++
    this.#loaded = -1
    const answer = await run(verb, this.#db)
    // At any time: no row may lack its payload, and no payload may stay without a row.
    this.#statement('update keepsend_sweep_pass set payloads_after_id = null, payloads_next_at = 0').run()
    await cleanupPayloads(this.#db)
    const applied = { table: await this.#read(before.clock), answer }
    const after = this.table(applied.table)
    const fault =
      faultOfStep(before, after, verb, answer) ??
      (verb.kind === 'expire' ? faultOfExpiry(before, after) : undefined) ??
      (verb.kind === 'cancel' ? faultOfCancel(before, after, verb.key) : undefined)
    if (fault !== undefined) throw new Violation(fault)
    this.#applied[number]?.set(verb.key, applied)
    return applied
  }

  /** @throws unless every rewrite of the mutant was applied */
  close(): void {
    this.#connection.close()
    if (this.#mutant) assertMutated(this.#mutant, this.#counts)
  }

  #load(number: number): void {
    this.#now = BASE_MS + this.table(number).clock * TICK_MS
    if (this.#loaded === number) return
    this.#statement('delete from pending_events').run()
    this.#statement('delete from keepsend_payloads').run()
    this.#statement(INSERT_PAYLOADS).run(PAYLOAD, this.#texts[number])
    this.#statement(INSERT).run(this.#texts[number])
    this.#loaded = number
  }

  async #read(clock: number): Promise<number> {
    const found = readPendingEvents(this.#statement(SELECT).all() as Record<string, unknown>[])
    for (const row of found) {
      const fault = faultOfRow(row, this.#now, MOST_AHEAD_MS)
      if (fault !== undefined) throw new Violation(fault)
    }
    const { stored } = this.#statement('select count(*) as stored from keepsend_payloads').get() as { stored: number }
    if (stored !== found.length || found.some(({ payload }) => payload !== PAYLOAD))
      throw new Violation(`a payload for each row, and no other: ${stored} are stored for ${found.length} rows`)
    return this.#number({ clock, rows: found.map(rowOf) })
  }

  async #number(table: Table): Promise<number> {
    const text = JSON.stringify([table.clock, this.#scenario.maxAttempts, table.rows.map(rowText)])
    const known = this.#numbers.get(text)
    if (known !== undefined) return known
    const number = this.#tables.length
    this.#numbers.set(text, number)
    this.#texts.push(text)
    this.#tables.push(table)
    this.#applied.push(new Map())
    await this.#checkReach(number)
    return number
  }

  /** Checks that a claim or a sweep eventually takes every pending row, whatever its attempts. */
  async #checkReach(number: number): Promise<void> {
    const waiting = this.table(number).rows.filter(({ status }) => status === 'pending')
    if (waiting.length === 0) return
    this.#load(number)
    const indexed = this.#statement(INDEXED).all() as { id: string }[]
    const fault = faultOfIndexes(
      this.table(number),
      indexed.map(({ id }) => numberOf(id)),
    )
    if (fault !== undefined) throw new Violation(fault)
    this.#loaded = -1
    this.#now += MUCH_LATER_MS
    const { claims, exhausted } = await claimDueEvents(this.#db, { limit: 10 })
    const swept = await sweepPendingEvents(this.#db, { firstSends: 'all', due: false })
    this.#connection.exec(`update keepsend_sweep_pass set began_at = ${BASE_MS}, after_id = null`)
    const reached = new Set(
      [...claims, ...exhausted, ...swept.events, ...swept.exhausted].map(({ id }) => numberOf(id)),
    )
    const limbo = waiting.find(({ row }) => !reached.has(row))
    if (limbo) throw new Violation(`no limbo: no claim or sweep will take ${JSON.stringify(limbo)}`)
  }

  readonly #prepared = new Map<string, Database.Statement>()
  #statement(sql: string): Database.Statement {
    const statement = this.#prepared.get(sql) ?? this.#connection.prepare(sql)
    this.#prepared.set(sql, statement)
    return statement
  }
}

/** @throws {Violation} if the table's own checks refuse a row */
async function run(verb: Verb<unknown>, db: OutboxDatabase): Promise<unknown> {
  try {
    return await verb.run(db)
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('CHECK constraint failed'))) throw error
    throw new Violation(`in line only while pending: a ${verb.kind} was refused, ${error.message}`)
  }
}

function rowOf(row: PendingEvent): Row {
  return {
    row: numberOf(row.id),
    workspaceId: row.workspaceId,
    status: row.status,
    holdReason: row.holdReason,
    attempts: row.attempts,
    deferrals: row.deferrals,
    crashes: row.crashes,
    gen: row.gen - BASE_MS,
    life: tickOf(row.createdAt),
    dueAt: row.dueAt === null ? null : tickOf(row.dueAt),
    ready: row.ready === 1,
    claimed: row.claimedAt !== null,
    expired: row.status === 'failed' && row.lastError === EXPIRED,
    cancelled: row.status === 'failed' && row.lastError === CANCELLED,
    expiresAt: row.expiresAt === null ? null : tickOf(row.expiresAt),
  }
}

function rowText(row: Row): unknown[] {
  const { status, holdReason, attempts, deferrals, crashes, gen, dueAt, claimed, life, ready, workspaceId } = row
  const { expired, cancelled, expiresAt } = row
  return [
    IDS[row.row],
    status,
    holdReason,
    attempts,
    deferrals,
    crashes,
    gen,
    dueAt,
    Number(claimed),
    life,
    Number(ready),
    cancelled ? 2 : Number(expired),
    workspaceId,
    expiresAt,
  ]
}

const SELECT = `select ${pendingEvents.all.sql} from pending_events order by id`

/** The rows of the two indexes that claims pick from. Each query names its index, so another plan is an error. */
const INDEXED = `
  select id from pending_events indexed by pending_events_ready where ready = 1
  union all
  select id from pending_events indexed by pending_events_due
  where status = 'pending' and due_at is not null and ready = 0`

const INSERT_PAYLOADS = `
  insert into keepsend_payloads (id, event_id, payload)
  select one.key + 1, substr(one.value ->> 0, 1, 40), ? from json_each(?, '$[2]') as one`

const INSERT = `
  insert into pending_events (id, workspace_id, event_type, endpoint_id, status, hold_reason, attempts, max_attempts,
    deferrals, crashes, gen, due_at, claimed_at, created_at, ready, completed_at,
    last_error, expires_at, payload_id)
  select one.value ->> 0, one.value ->> 12, 'message.created', '${ENDPOINT}', one.value ->> 1, one.value ->> 2, one.value ->> 3, whole.text ->> 1,
    one.value ->> 4, one.value ->> 5, ${BASE_MS} + (one.value ->> 6), ${BASE_MS} + ${TICK_MS} * (one.value ->> 7),
    case one.value ->> 8 when 1 then ${BASE_MS} end, ${BASE_MS} + ${TICK_MS} * (one.value ->> 9), one.value ->> 10,
    case when one.value ->> 1 = 'failed' then ${BASE_MS} end,
    case one.value ->> 11 when 1 then '${EXPIRED}' when 2 then '${CANCELLED}' end,
    ${BASE_MS} + ${TICK_MS} * (one.value ->> 13), one.key + 1
  from (select ? as text) as whole, json_each(whole.text, '$[2]') as one`
