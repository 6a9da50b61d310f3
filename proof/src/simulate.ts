// `pnpm proof:simulate [--steps N] [--seed N]`: the engine and both adapters under a virtual clock; see simulate/world.ts.
import { parseArgs } from 'node:util'
import {
  WITHOUT_GEN,
  WITHOUT_LEAVING_AT_HEARTBEAT,
  WITHOUT_LEAVING_AT_SETTLE,
  WITH_FIXED_GEN,
  WITH_OTHERS_ENDPOINTS,
  assertMutated,
} from './lib/mutants.ts'
import { newSeed } from './random.ts'
import { machine, report, wholeOption } from './report.ts'
import { COUNTED } from './simulate/counts.ts'
import { readRegressions, writeRegression } from './simulate/regressions.ts'
import { runStory } from './simulate/run.ts'
import { search } from './simulate/search.ts'
import type { Story } from './simulate/story.ts'

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '200000' },
    seed: { type: 'string', default: String(newSeed() % 2 ** 31) },
  },
})
const wanted = wholeOption('steps', values.steps, 1000, 1_000_000_000)
const seed = wholeOption('seed', values.seed, 0, 2 ** 31 - 1)
const shown = (count: number): string => count.toLocaleString('en')
// A control that is not caught within these steps is not caught.
const CONTROL_STEPS = 500_000
const PROGRESS_STEPS = 100_000
// Workers that do not know the results of their settles, beside callers that publish again.
const SECOND_LIVES: Partial<Story> = {
  world: 'node',
  faults: ['commit is ambiguous', 'event is published again', 'process pauses'],
}
// Workers that continue with rows that were put in line meanwhile.
const LATE_OWNERS: Partial<Story> = { world: 'node', faults: ['commit is ambiguous', 'process pauses'] }
const rows: [string, string][] = []
let ok = true
console.log(`seed ${seed}; ${machine()}`)

const regressions = readRegressions()
for (const { file, story } of regressions) {
  const { broken, log } = await runStory(story)
  if (broken === undefined) continue
  ok = false
  console.log(`BROKEN again, ${file}: ${broken}\n${lastOf(log)}`)
}
rows.push(['regressions replayed', shown(regressions.length)])

const started = performance.now()
let said = 0
const found = await search({
  seed,
  steps: wanted,
  onRound(steps) {
    if (steps < said + PROGRESS_STEPS) return
    said = steps
    console.log(`${shown(steps)} steps, ${((performance.now() - started) / 1000).toFixed(0)} s`)
  },
})
rows.push(
  ['steps', shown(found.steps)],
  ['stories on Node', shown(found.stories.node)],
  ['stories on Cloudflare', shown(found.stories.cloudflare)],
  ...COUNTED.map((name): [string, string] => [name, shown(found.counts[name])]),
  ['seconds', ((performance.now() - started) / 1000).toFixed(0)],
)
for (const name of COUNTED.filter((one) => found.counts[one] === 0)) {
  ok = false
  console.log(`NOT REACHED: ${name}`)
}
if (found.failure) {
  ok = false
  const { story, broken, log } = found.failure
  const file = writeRegression(story)
  console.log(`BROKEN: ${broken}\nstored as ${file}\n${lastOf(log)}`)
  rows.push(['broken', broken])
}

for (const [name, control] of [
  [WITHOUT_GEN.name, { mutant: WITHOUT_GEN }],
  [WITHOUT_LEAVING_AT_SETTLE.name, { mutant: WITHOUT_LEAVING_AT_SETTLE, about: LATE_OWNERS }],
  [WITHOUT_LEAVING_AT_HEARTBEAT.name, { mutant: WITHOUT_LEAVING_AT_HEARTBEAT, about: LATE_OWNERS }],
  [WITH_FIXED_GEN.name, { mutant: WITH_FIXED_GEN, about: SECOND_LIVES }],
  [WITH_OTHERS_ENDPOINTS.name, { mutant: WITH_OTHERS_ENDPOINTS }],
  ['a database that acknowledges what it has not committed', { liesOnceIn: 40 }],
] as const) {
  const caught = await search({ seed, steps: CONTROL_STEPS, control })
  if ('mutant' in control) assertMutated(control.mutant, caught.mutated)
  const result = caught.failure ? `caught: ${caught.failure.broken}` : 'NOT CAUGHT'
  ok &&= caught.failure !== undefined
  console.log(`\ncontrol, ${name}: ${result}, after ${shown(caught.steps)} steps`)
  if (caught.failure) console.log(lastOf(caught.failure.log))
  rows.push([`control: ${name}`, caught.failure ? `caught, after ${shown(caught.steps)} steps` : 'NOT CAUGHT'])
}
report({ name: 'simulate', ok, seed, rows })

function lastOf(log: readonly string[]): string {
  return log
    .slice(-25)
    .map((line) => `  ${line}`)
    .join('\n')
}
