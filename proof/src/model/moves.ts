import {
  type Ending,
  type Hand,
  type Local,
  type Message,
  type Ref,
  type Scenario,
  type Table,
  letterOf,
  nameOf,
} from './state.ts'
import { cancel } from './cancel.ts'
import { expire } from './expire.ts'
import { type Taken, type Verb, publish, replay } from './verbs.ts'

/** One step from a state: a verb on the table, if any, and the resulting knowledge. */
export interface Move {
  label: string
  verb?: Verb<unknown>
  /** The clock advances by a tick instead. */
  tick?: true
  next(answer: unknown): Local
}

/** A step that runs a verb. */
export function move<R>(label: string, verb: Verb<R>, next: (answer: R) => Local): Move {
  return { label, verb, next: (answer) => next(answer as R) }
}

/** Steps that are possible in every scenario. */
export function commonMoves(scenario: Scenario, table: Table, local: Local): Move[] {
  const moves: Move[] = publishMoves(scenario, table, local)
  if (table.clock < scenario.ticks) moves.push({ label: 'a second passes', tick: true, next: () => local })
  if (scenario.expires) moves.push(move('rows that are too old expire', expire(), () => local))
  if (scenario.cancels)
    for (const { row } of table.rows)
      moves.push(move(`the event of ${letterOf(row)} is cancelled`, cancel(row), () => local))
  if (local.replays > 0 && table.rows.some(({ status }) => status === 'failed')) {
    moves.push(move('replay', replay(), (rows) => ({ ...forgetAnswers(local, rows), replays: local.replays - 1 })))
  }
  return moves
}

/**
 * Publishes the event of a row that was delivered and deleted again, under its id. In a later second than the last
 * time: the clock has advanced by more milliseconds than the row has made moves.
 */
function publishMoves(scenario: Scenario, table: Table, local: Local): Move[] {
  if (local.repeats === 0) return []
  const rows = local.lives.flatMap((life, row) => (life < table.clock && !standing(table, row) ? [row] : []))
  return rows.map((row) =>
    move(`${letterOf(row)} is published again`, publish(row, scenario), (inserted) => {
      const repeats = local.repeats - 1
      const lives = local.lives.map((life, other) => (repeats === 0 ? 0 : other === row ? table.clock : life))
      const messages = scenario.kind === 'queue' && inserted ? [...local.messages, firstMessage(inserted, table)] : []
      return { ...forgetAnswers(local, [row]), repeats, lives, messages }
    }),
  )
}

function standing({ rows }: Table, row: number): Ref | undefined {
  return rows.find((one) => one.row === row)
}

/** The message of a row that was just inserted. */
export function firstMessage({ row, gen, life }: Ref, { clock }: Table): Message {
  return { row, gen, life, at: clock, deliveries: 0 }
}

function forgetAnswers(local: Local, rows: readonly number[]): Local {
  const others = rows.reduce((bits, row) => bits & ~(1 << row), -1)
  return { ...local, accepted: local.accepted & others, refused: local.refused & others }
}

/** Possible responses of a receiver to an attempt in flight. */
export function answerMoves(scenario: Scenario, table: Table, local: Local, worker: number, hand: Hand): Move[] {
  if (hand.phase !== 'taken') return []
  const name = nameOf(hand)
  // A response counts for no row if an earlier life began the attempt, or its row is gone.
  const bit = standing(table, hand.row)?.life === hand.life ? 1 << hand.row : 0
  const afterFailure: Ending = hand.attempt >= scenario.maxAttempts ? 'fail' : 'retry'
  const answer = (label: string, phase: Ending, rest: Partial<Local> = {}): Move => ({
    label: `${name}: ${label}`,
    next: () => ({
      ...replaceHand(local, worker, hand, { ...hand, phase }),
      ...rest,
    }),
  })
  const moves = [
    answer('2xx', 'complete', { accepted: local.accepted | bit }),
    answer('2xx, and the response is lost', afterFailure, { accepted: local.accepted | bit }),
    answer('5xx', afterFailure),
    answer('4xx', 'fail', { refused: local.refused | bit }),
  ]
  if (scenario.defers && hand.deferrals === 0) moves.push(answer('429 with a wait', 'defer'))
  // Costs a fault, as a release does: without a bound a row could be held and resumed without end.
  if (scenario.holds && local.faults > 0)
    moves.push(answer('the endpoint is disabled', 'hold', { faults: local.faults - 1 }))
  return moves
}

/** A worker dies, and loses its knowledge. */
export function crashMove(local: Local, worker: number): Move[] {
  const hands = local.workers[worker] ?? []
  if (local.faults === 0 || hands.length === 0) return []
  return [
    {
      label: `a worker dies with ${hands.map((hand) => `${nameOf(hand)} (${hand.phase})`).join(' and ')}`,
      next: () => ({ ...withHands(local, worker, []), faults: local.faults - 1 }),
    },
  ]
}

export function withHands(local: Local, worker: number, hands: readonly Hand[]): Local {
  return { ...local, workers: local.workers.map((same, index) => (index === worker ? hands : same)) }
}

export function replaceHand(local: Local, worker: number, old: Hand, hand: Hand): Local {
  const hands = (local.workers[worker] ?? []).map((same) => (same === old ? hand : same))
  return withHands(local, worker, hands)
}

export function isEnding(phase: Hand['phase']): phase is Ending {
  return phase !== 'again' && phase !== 'taken' && phase !== 'send'
}

/** A claim in flight. Its attempt counts already. */
export function handOf({ row, gen, life, attempts, deferrals }: Taken): Hand {
  return { row, gen, life, attempt: attempts, deferrals, phase: 'taken', message: -1 }
}

export function listOf(hands: readonly Ref[]): string {
  return hands.length === 0 ? 'nothing' : hands.map(nameOf).join(' and ')
}
