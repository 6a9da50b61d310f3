// `pnpm proof:power [--states N] [--seed N]`: records the system calls of a process that uses Keepsend, and cuts the
// power between any two of them; writes that were not synced are lost or torn. See ../README.md.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bundle } from './bundle.ts'
import { type Findings, explore, nothingFound } from './power/explore.ts'
import { obstacle, record } from './power/recording.ts'
import { createRandom, newSeed } from './random.ts'
import { machine, report, wholeOption } from './report.ts'

const { values } = parseArgs({
  options: { states: { type: 'string', default: '3000' }, seed: { type: 'string', default: String(newSeed()) } },
})
const states = wholeOption('states', values.states, 30, 10_000_000)
const seed = wholeOption('seed', values.seed, 0, 4_294_967_295)
const inTheWay = obstacle()
if (inTheWay !== undefined) {
  console.error(inTheWay)
  process.exit(1)
}

// From a checkpoint every few commits to hardly any.
const CHECKPOINTS = [8, 50, 250] as const
const STATES_OF_A_RECORDING = 2500
const TURNS = 60
const MOST_CONTROL_STATES = 3000

const began = performance.now()
const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(1)} s`
console.log(`proof:power: ${states} power cuts, seed ${seed}`)
console.log(machine())

// In memory if possible: no state needs a disk.
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'keepsend-proof-'))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const bundles = await bundle({ writer: new URL('./power/writer-process.ts', import.meta.url) })
process.once('exit', () => bundles.remove())

const full = await cutPower('FULL', states)
const normal = await cutPower('NORMAL', Math.min(MOST_CONTROL_STATES, Math.ceil(states / 5)))

const wrong = full.lost + full.undone + full.forgotten + full.torn + full.corrupt + full.unmigrated + full.misrecorded
report({
  name: 'proof:power',
  ok:
    full.acknowledged > 0 &&
    full.recorded > 0 &&
    wrong === 0 &&
    normal.lost > 0 &&
    normal.corrupt + normal.torn + normal.misrecorded === 0,
  seed,
  rows: [
    ['FULL: states', full.states],
    ['FULL: acknowledged deliveries checked', full.acknowledged],
    ['FULL: lost', full.lost],
    ['FULL: settles undone, claims forgotten', `${full.undone}, ${full.forgotten}`],
    ['FULL: torn transactions, corrupt databases', `${full.torn}, ${full.corrupt}`],
    ['FULL: attempts of settles checked', full.recorded],
    ['FULL: settles without their attempt, attempts without their settle', full.misrecorded],
    ['FULL: migrations forgotten', full.unmigrated],
    [
      'control: NORMAL',
      normal.lost > 0
        ? `lost some in ${normal.losing} of ${normal.states} states, ${normal.worst} at worst, as it must`
        : `LOST NONE in ${normal.states} states`,
    ],
    ['control: torn transactions, corrupt databases', `${normal.torn + normal.misrecorded}, ${normal.corrupt}`],
    ['duration', seconds()],
  ],
})

async function cutPower(synchronous: 'FULL' | 'NORMAL', count: number): Promise<Findings> {
  const findings = nothingFound()
  const each = Math.min(STATES_OF_A_RECORDING, Math.ceil(count / CHECKPOINTS.length))
  for (let recording = 0; findings.states < count; recording++) {
    const own = join(folder, `${synchronous}-${recording}`)
    mkdirSync(own)
    const checkpoint = CHECKPOINTS[recording % CHECKPOINTS.length] ?? CHECKPOINTS[0]
    const options = {
      bundle: bundles.writer,
      folder: own,
      synchronous,
      checkpoint,
      turns: TURNS,
      seed: seed + recording,
    }
    const steps = await record(options)
    const random = createRandom(seed + recording)
    await explore(steps, { states: Math.min(each, count - findings.states), random, folder: own, findings })
    rmSync(own, { recursive: true })
    console.log(
      `  ${seconds()}: ${synchronous}, a checkpoint every ${checkpoint} pages, ${steps.length} calls: ` +
        `${findings.states} states, ${findings.lost} lost, ${findings.corrupt} corrupt`,
    )
  }
  return findings
}
