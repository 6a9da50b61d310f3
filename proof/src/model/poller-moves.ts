import { holdLine, resume } from './hold.ts'
import { type Move, answerMoves, commonMoves, crashMove, handOf, isEnding, listOf, move, withHands } from './moves.ts'
import type { Hand, Local, Scenario, Table } from './state.ts'
import { type Ended, type SettleAnswer, type Source, claim, extend, lineUp, release, settle } from './verbs.ts'

/**
 * Workers that claim rows in line and due rows, and put due rows in line. Each claims, attempts, settles finished
 * attempts (and claims again in the same commit), renews its leases, releases, dies, or never gets the result of its
 * own commit and retries.
 */
export function pollerMoves(scenario: Scenario, table: Table, local: Local): Move[] {
  const moves = commonMoves(scenario, table, local)
  if (table.rows.some(({ status }) => status === 'held')) {
    moves.push(
      move('resume', resume(0), () => local),
      move('resume in a second', resume(1), () => local),
    )
  }
  moves.push(move('due rows are put in line', lineUp(), () => local))
  if (scenario.holds && local.faults > 0)
    moves.push(move('the line is held', holdLine(), () => ({ ...local, faults: local.faults - 1 })))
  for (const [worker, hands] of local.workers.entries()) {
    const free = scenario.hands - hands.length
    if (free > 0) {
      for (const source of sourcesOf(scenario)) {
        moves.push(
          move(`a worker with ${listOf(hands)} claims rows ${source}`, claim(source, free), (claims) =>
            withHands(local, worker, [...hands, ...claims.map(handOf)]),
          ),
        )
      }
    }
    if (hands.length === 0) continue
    for (const hand of hands) moves.push(...answerMoves(scenario, table, local, worker, hand))
    moves.push(...settleMoves(scenario, local, worker, hands))
    moves.push(move(`renew ${listOf(hands)}`, extend(hands), () => local))
    if (local.faults > 0)
      moves.push(
        move(`release ${listOf(hands)}`, release(hands), () => ({
          ...withHands(local, worker, []),
          faults: local.faults - 1,
        })),
      )
    moves.push(...crashMove(local, worker))
  }
  return moves
}

function sourcesOf({ neighbours }: Scenario): Source[] {
  return neighbours ? ['in line', "in a neighbour's line", 'due'] : ['in line', 'due']
}

function settleMoves(scenario: Scenario, local: Local, worker: number, hands: readonly Hand[]): Move[] {
  const ended = hands.flatMap(({ row, gen, life, phase }): Ended[] =>
    isEnding(phase) ? [{ row, gen, life, ending: phase }] : [],
  )
  if (ended.length === 0) return []
  const rest = hands.filter(({ phase }) => !isEnding(phase))
  const what = ended.map((one) => `${listOf([one])} ${one.ending}`).join(' and ')
  const how = { retryTicks: 1 }
  const next = ({ claims }: SettleAnswer): Local => withHands(local, worker, [...rest, ...claims.map(handOf)])
  const moves = [
    move(`settle ${what}`, settle(ended, how), next),
    ...sourcesOf(scenario).map((source) => {
      const claiming = { ...how, claim: { source, most: scenario.hands - rest.length } }
      return move(`settle ${what}, and claim rows ${source}`, settle(ended, claiming), next)
    }),
  ]
  if (local.faults > 0) {
    moves.push(
      move(`settle ${what}, and get no result`, settle(ended, how), () => ({
        ...local,
        faults: local.faults - 1,
      })),
    )
  }
  return moves
}
