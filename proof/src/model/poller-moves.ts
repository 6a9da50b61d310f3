import { type Move, answerMoves, commonMoves, crashMove, handOf, isEnding, listOf, move, withHands } from './moves.ts'
import type { Hand, Local, Scenario, Table } from './state.ts'
import { type Ended, type SettleAnswer, claim, extend, release, resume, settle } from './verbs.ts'

/**
 * Workers that claim what is due: each claims, attempts, settles what has ended (and claims again in the same commit),
 * renews its leases, gives back, dies, or hears nothing of a commit of its own and tries again.
 */
export function pollerMoves(scenario: Scenario, table: Table, local: Local): Move[] {
  const moves = commonMoves(scenario, table, local)
  if (table.rows.some(({ status }) => status === 'held')) moves.push(move('resume', resume(), () => local))
  for (const [worker, hands] of local.workers.entries()) {
    const free = scenario.hands - hands.length
    if (free > 0) {
      moves.push(
        move(`a worker with ${listOf(hands)} claims`, claim(free), (claims) =>
          withHands(local, worker, [...hands, ...claims.map(handOf)]),
        ),
      )
    }
    if (hands.length === 0) continue
    for (const hand of hands) moves.push(...answerMoves(scenario, table, local, worker, hand))
    moves.push(...settleMoves(scenario, local, worker, hands))
    moves.push(move(`renew ${listOf(hands)}`, extend(hands), () => local))
    if (local.faults > 0)
      moves.push(
        move(`give back ${listOf(hands)}`, release(hands), () => ({
          ...withHands(local, worker, []),
          faults: local.faults - 1,
        })),
      )
    moves.push(...crashMove(local, worker))
  }
  return moves
}

function settleMoves(scenario: Scenario, local: Local, worker: number, hands: readonly Hand[]): Move[] {
  const ended = hands.flatMap(({ row, gen, life, phase }): Ended[] =>
    isEnding(phase) ? [{ row, gen, life, ending: phase }] : [],
  )
  if (ended.length === 0) return []
  const rest = hands.filter(({ phase }) => !isEnding(phase))
  const { keepCompleted } = scenario
  const what = ended.map((one) => `${listOf([one])} ${one.ending}`).join(' and ')
  const how = { keepCompleted, retryTicks: 1, claim: 0 }
  const next = ({ claims }: SettleAnswer): Local => withHands(local, worker, [...rest, ...claims.map(handOf)])
  const moves = [
    move(`settle ${what}`, settle(ended, how), next),
    move(`settle ${what}, and claim`, settle(ended, { ...how, claim: scenario.hands - rest.length }), next),
  ]
  if (local.faults > 0) {
    moves.push(
      move(`settle ${what}, and hear nothing of it`, settle(ended, how), () => ({
        ...local,
        faults: local.faults - 1,
      })),
    )
  }
  return moves
}
