import {
  type Move,
  answerMoves,
  commonMoves,
  crashMove,
  handOf,
  isEnding,
  listOf,
  move,
  replaceHand,
  withHands,
} from './moves.ts'
import { type Hand, type Local, type Message, type Ref, type Scenario, type Table, nameOf } from './state.ts'
import { type Taken, begin, claimNamed, settle, sweep, sweepRefused } from './verbs.ts'

const RETRY_TICKS = 1
// How late a retry's message may be before the sweep sends another.
const GRACE_TICKS = 1
// The first delivery, and one more: after a death, or because the queue delivers a message twice.
const MOST_DELIVERIES = 2

/**
 * A queue's consumers, and the cron beside them. A consumer has the steps of adapter-cloudflare: begin, claim rows that
 * were delivered before or overtaken, attempt, settle, send the retry's message, acknowledge. Messages arrive in any
 * order, late, twice, or never.
 */
export function queueMoves(scenario: Scenario, table: Table, local: Local): Move[] {
  const moves = [...commonMoves(scenario, table, local), ...sweepMoves(local)]
  const idle = local.workers.findIndex((hands) => hands.length === 0)
  for (const message of local.messages) {
    if (local.faults > 0)
      moves.push({
        label: `the message ${nameOf(message)} is lost`,
        next: () => ({ ...acknowledged(local, message), faults: local.faults - 1 }),
      })
    if (idle !== -1 && message.at <= table.clock && message.deliveries < MOST_DELIVERIES)
      moves.push(deliver(local, idle, message))
  }
  for (const [worker, [hand]] of local.workers.entries()) {
    if (!hand) continue
    moves.push(...answerMoves(scenario, table, local, worker, hand))
    moves.push(...handMoves(table, local, worker, hand))
    moves.push(...crashMove(local, worker))
  }
  return moves
}

function sweepMoves(local: Local): Move[] {
  const sent = (events: readonly Taken[]): Local => ({
    ...local,
    messages: [...local.messages, ...events.map(({ row, gen, life }) => ({ row, gen, life, at: 0, deliveries: 0 }))],
  })
  const refused = (): Local => ({ ...local, faults: local.faults - 1 })
  return [
    move('sweep', sweep(), sent),
    ...(local.faults > 0 ? [move('sweep, and the queue refuses', sweepRefused(), refused)] : []),
  ]
}

function deliver(local: Local, worker: number, message: Message): Move {
  const { row, gen, deliveries } = message
  return move(`${nameOf(message)} is delivered to a consumer`, begin(message), (found) => {
    if (found === 'stale') return acknowledged(local, message)
    const again = deliveries > 0 || found.swept
    const hand: Hand = {
      row,
      gen: found.row.gen,
      life: found.row.life,
      attempt: found.row.attempts + 1,
      deferrals: found.row.deferrals,
      phase: again ? 'again' : 'taken',
      message: gen,
    }
    const messages = local.messages.map((same) =>
      same === message ? { ...message, deliveries: deliveries + 1 } : same,
    )
    return { ...withHands(local, worker, [hand]), messages }
  })
}

function handMoves(table: Table, local: Local, worker: number, hand: Hand): Move[] {
  const message = { row: hand.row, gen: hand.message, life: hand.life }
  const done = (): Local => withHands(acknowledged(local, message), worker, [])
  if (hand.phase === 'again') {
    return [
      move(`the consumer claims ${nameOf(hand)}`, claimNamed(hand), ([taken]) =>
        taken ? replaceHand(local, worker, hand, { ...handOf(taken), message: hand.message }) : done(),
      ),
    ]
  }
  if (hand.phase === 'send') {
    const next = { ...message, gen: hand.gen + 1, at: table.clock + RETRY_TICKS, deliveries: 0 }
    const send = (): Local => ({ ...done(), messages: [...done().messages, next] })
    return [{ label: `the message ${nameOf(next)} is sent`, next: send }]
  }
  if (!isEnding(hand.phase)) return []
  const ended = { row: hand.row, gen: hand.gen, life: hand.life, ending: hand.phase }
  const how = { retryTicks: RETRY_TICKS + GRACE_TICKS }
  const retries = hand.phase === 'retry' || hand.phase === 'defer'
  const moves = [
    move(`settle ${listOf([hand])} ${hand.phase}`, settle([ended], how), ({ lost }) =>
      retries && lost.length === 0 ? replaceHand(local, worker, hand, { ...hand, phase: 'send' }) : done(),
    ),
  ]
  if (local.faults > 0) {
    moves.push(
      move(`settle ${listOf([hand])} ${hand.phase}, and get no result`, settle([ended], how), () => ({
        ...local,
        faults: local.faults - 1,
      })),
    )
  }
  return moves
}

function acknowledged(local: Local, { row, gen, life }: Ref): Local {
  const isOther = (one: Message): boolean => one.row !== row || one.gen !== gen || one.life !== life
  return { ...local, messages: local.messages.filter(isOther) }
}
