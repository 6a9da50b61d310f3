import { interleave } from '../interleave.ts'
import { type Bench, median } from '../workload.ts'
import { commitOf, isDirty, titleOf } from './git.ts'
import { medianInterval } from './interval.ts'
import { type Line, comparable } from './lines.ts'
import { prepareThere, protocolOf } from './there.ts'

export interface Comparison {
  workloads: readonly string[]
  commit: string
  /** The ratio that each line should reach. */
  atLeast: number
}

/** Events a second of both trees, one right after the other. */
interface Pair {
  here: number
  there: number
}

// A round that only checks that a line runs.
const REHEARSAL = { events: 1000, quick: true }

/** The commit that a ref names. Throws before anything starts if a comparison with it is impossible. */
export function commitToCompare(ref: string): string {
  const commit = commitOf(ref)
  protocolOf(commit)
  return commit
}

/**
 * Measures the workloads in this tree and in a commit, in turn. Receiver, stores and rounds are this tree's; the worker
 * processes are each tree's own, under the same Node. Prints the ratios; resolves to the names of the lines that were
 * not measured.
 */
export async function compare(bench: Bench, { workloads, commit, atLeast }: Comparison): Promise<string[]> {
  bench.say(`\nhere   ${titleOf('HEAD')}${isDirty() ? ', with changes that are in no commit' : ''}`)
  bench.say(`there  ${titleOf(commit)}`)
  bench.say('checking out and installing there, then each line once')
  const wanted = workloads.flatMap((workload) => comparable[workload] ?? [])
  const { lines, workerFile, notes, leftOut } = await prepareThere(commit, wanted, async (line, file) => {
    await line.round({ ...bench, ...REHEARSAL, workerFile: file })
  })
  for (const note of notes) bench.say(`  ${note}`)
  const entrants = lines.map((line) => ({
    name: line.name,
    store: line.store,
    round: (number: number) => pairOf(line, bench, workerFile, number),
  }))
  const { rounds, missing } = await interleave(
    entrants,
    bench.rounds,
    bench.say,
    ({ here, there }: Pair) => `${Math.round(here)}/s here, ${Math.round(there)}/s there, ${(here / there).toFixed(3)}`,
  )
  bench.say(`\nhere / there, events a second: the median ratio of ${bench.rounds} rounds and its 90% interval`)
  for (const [name, pairs] of rounds) bench.say(inOneLine(name, pairs, atLeast))
  for (const name of leftOut) bench.say(`– ${name}: left out, because the other tree's bench does not have it`)
  for (const [name, why] of Object.entries(missing)) bench.say(`✗ ${name}: ${why}`)
  return Object.keys(missing)
}

/** Odd rounds start with this tree, even ones with the other, so that drift between runs favours neither. */
async function pairOf(line: Line, bench: Bench, workerFile: string, number: number): Promise<Pair> {
  const runThere = (): Promise<number> => line.round({ ...bench, workerFile })
  if (number % 2 === 1) {
    const here = await line.round(bench)
    return { here, there: await runThere() }
  }
  const there = await runThere()
  return { here: await line.round(bench), there }
}

function inOneLine(name: string, pairs: readonly Pair[], atLeast: number): string {
  const ratios = pairs.map(({ here, there }) => here / there)
  const interval = medianInterval(ratios)
  const found = `${name}: ${median(ratios).toFixed(3)}`
  if (interval === undefined) return `? ${found}, no interval: too few rounds to say whether it is at least ${atLeast}`
  const { low, high } = interval
  const holds = high >= atLeast
  const result = `at least ${atLeast}: ${holds ? 'held' : 'not held'}`
  return `${holds ? '✓' : '✗'} ${found}, ${low.toFixed(3)} to ${high.toFixed(3)} (${result})`
}
