import { faultOfEnds, faultOfHands } from './invariants.ts'
import { type Move, firstMessage } from './moves.ts'
import { pollerMoves } from './poller-moves.ts'
import { queueMoves } from './queue-moves.ts'
import type { Situation } from './situations.ts'
import { type Local, type Scenario, type Table, canonical } from './state.ts'
import { type Tables, Violation } from './tables.ts'

export interface Explored {
  states: number
  transitions: number
  /** Length of the longest shortest path to a state. */
  depth: number
  /** No state was skipped. */
  exhausted: boolean
  violation?: { rule: string; trace: readonly string[] }
}

const MOVES: Record<Scenario['kind'], (scenario: Scenario, table: Table, local: Local) => Move[]> = {
  poller: pollerMoves,
  queue: queueMoves,
}

/**
 * Explores breadth first from the first state, until there are no new states, or the limit of states is reached, or a
 * rule breaks.
 *
 * @param unseen situations to look for; those that occur are removed
 */
export async function explore(
  scenario: Scenario,
  tables: Tables,
  most: number,
  unseen: Set<Situation> = new Set(),
): Promise<Explored> {
  const states = new States()
  const locals: Local[] = []
  const localNumbers = new Map<string, number>()
  const number = (local: Local): number => {
    const { local: sorted, text } = canonical(local)
    let known = localNumbers.get(text)
    if (known === undefined) {
      known = locals.push(sorted) - 1
      localNumbers.set(text, known)
    }
    return known
  }
  const done = (rest: Pick<Explored, 'exhausted' | 'violation'>): Explored => ({
    states: states.size,
    transitions,
    depth,
    ...rest,
  })

  let transitions = 0
  let depth = 0
  const first = await tables.first()
  states.add(first, number(firstLocal(scenario, tables.table(first))), -1, 'the first rows')
  let levelEnd = 1
  for (let at = 0; at < states.size; at++) {
    if (at === levelEnd) {
      levelEnd = states.size
      depth++
    }
    const from = tables.table(states.table(at))
    const local = locals[states.local(at)] as Local
    for (const move of MOVES[scenario.kind](scenario, from, local)) {
      transitions++
      try {
        const { table, answer } = await step(tables, states.table(at), move)
        const next = move.next(answer)
        const fault =
          faultOfHands(next) ??
          (table === states.table(at) ? undefined : faultOfEnds(from, tables.table(table), local, scenario.maxAttempts))
        if (fault !== undefined) throw new Violation(fault)
        const taken = { before: from, after: tables.table(table), verb: move.verb, answer, local, next }
        for (const situation of unseen) if (situation[1](taken)) unseen.delete(situation)
        states.add(table, number(next), at, move.label)
      } catch (error) {
        if (!(error instanceof Violation)) throw error
        return done({ exhausted: false, violation: { rule: error.message, trace: [...states.trace(at), move.label] } })
      }
    }
    if (states.size >= most) return done({ exhausted: false })
  }
  return done({ exhausted: true })
}

// Asynchronous only for a verb that has not met this table yet.
function step(
  tables: Tables,
  table: number,
  { verb, tick }: Move,
): { table: number; answer: unknown } | Promise<{ table: number; answer: unknown }> {
  if (tick) return tables.later(table).then((later) => ({ table: later, answer: undefined }))
  if (!verb) return { table, answer: undefined }
  return tables.known(table, verb) ?? tables.apply(table, verb)
}

function firstLocal({ kind, workers, rows, faults, replays, repeats }: Scenario, first: Table): Local {
  return {
    workers: Array.from({ length: workers }, () => []),
    messages: kind === 'queue' ? first.rows.map((row) => firstMessage(row, first)) : [],
    accepted: 0,
    refused: 0,
    faults,
    replays,
    repeats,
    lives: Array.from({ length: rows }, () => 0),
  }
}

// Both parts are numbers of texts, so that a state is one exact number.
const LOCALS = 2 ** 27

/** The states in the order in which they were found, each with its path. */
class States {
  readonly #known = new Set<number>()
  readonly #states: number[] = []
  readonly #parents: number[] = []
  readonly #labels: string[] = []

  get size(): number {
    return this.#states.length
  }

  add(table: number, local: number, parent: number, label: string): void {
    const state = table * LOCALS + local
    if (this.#known.has(state)) return
    this.#known.add(state)
    this.#states.push(state)
    this.#parents.push(parent)
    this.#labels.push(label)
  }

  table(at: number): number {
    return Math.floor((this.#states[at] ?? 0) / LOCALS)
  }

  local(at: number): number {
    return (this.#states[at] ?? 0) % LOCALS
  }

  trace(at: number): string[] {
    const steps: string[] = []
    for (let one = at; one > 0; one = this.#parents[one] ?? 0) steps.unshift(this.#labels[one] ?? '')
    return steps
  }
}
