// `pnpm proof:model [--states N]`: explores every order of the outbox's verbs on real SQL; see model/state.ts.
import { parseArgs } from 'node:util'
import { explore } from './model/explore.ts'
import { CONTROLS, LARGE, SMALL } from './model/scenarios.ts'
import type { Scenario } from './model/state.ts'
import { SITUATIONS } from './model/situations.ts'
import { Tables } from './model/tables.ts'
import { machine, report, wholeOption } from './report.ts'

const { values } = parseArgs({ options: { states: { type: 'string', default: '200000' } } })
// A JavaScript Set has at most 2^24 members.
const wanted = wholeOption('states', values.states, 1000, 16_000_000)
const MOST = 16_000_000
const shown = (count: number): string => count.toLocaleString('en')
console.log(machine())

let ok = true
const total = { states: 0, transitions: 0, calls: 0 }
const rows: [string, string][] = []
const unseen = new Set(SITUATIONS)

for (const scenario of SMALL) await run(scenario, MOST)
for (const scenario of LARGE) if (total.states < wanted) await run(scenario, wanted - total.states)
ok &&= unseen.size === 0
for (const [name] of unseen) console.log(`NOT REACHED: ${name}`)
rows.unshift(
  ['states', shown(total.states)],
  ['transitions', shown(total.transitions)],
  ['calls of a verb on SQL', shown(total.calls)],
  ['situations reached', `${SITUATIONS.length - unseen.size} of ${SITUATIONS.length}`],
)

for (const [mutant, scenario] of CONTROLS) {
  const tables = new Tables(scenario, mutant)
  const { violation, states } = await explore(scenario, tables, MOST)
  tables.close()
  const caught = violation !== undefined
  ok &&= caught
  console.log(
    `\ncontrol, ${mutant.name} (${scenario.kind}): ${caught ? `caught as it must be, after ${states} states` : 'NOT CAUGHT'}`,
  )
  if (violation) console.log(`  ${violation.rule}\n${numbered(violation.trace)}`)
  rows.push([
    `control: ${mutant.name} (${scenario.kind})`,
    caught ? `caught, in ${violation.trace.length} steps` : 'NOT CAUGHT',
  ])
}
report({ name: 'model', ok, seed: 0, rows })

async function run(scenario: Scenario, most: number): Promise<void> {
  const started = performance.now()
  const tables = new Tables(scenario)
  const { violation, ...found } = await explore(scenario, tables, most, unseen)
  tables.close()
  total.states += found.states
  total.transitions += found.transitions
  total.calls += tables.calls
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const whole = found.exhausted ? 'exhausted' : 'not exhausted'
  const figures = `${shown(found.states)} states, ${shown(found.transitions)} transitions, depth ${found.depth}, ${whole}`
  console.log(`${scenario.name}: ${figures}; ${shown(tables.calls)} calls on SQL, ${seconds} s`)
  rows.push([scenario.name, figures])
  if (!violation) return
  ok = false
  console.log(`  BROKEN: ${violation.rule}\n${numbered(violation.trace)}`)
  rows.push([`broken in ${scenario.name}`, violation.rule])
}

function numbered(trace: readonly string[]): string {
  return trace.map((step, index) => `  ${String(index + 1).padStart(3)}. ${step}`).join('\n')
}
