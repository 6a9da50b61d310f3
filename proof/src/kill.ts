// `pnpm proof:kill [--kills N] [--seed N] [--control]`: kills whole installations with SIGKILL, again and again, while
// clients publish and a receiver in a third process records the arrivals. See ../README.md.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startPostgres } from '../../scripts/postgres-server.ts'
import { bundle } from './bundle.ts'
import { type Tally, recoveryTimes, sum } from './kill/compare.ts'
import { type Installation, divide, installationsOn, runControls, runInstallation } from './kill/installations.ts'
import type { Processes } from './kill/processes.ts'
import { newSeed } from './random.ts'
import { machine, report, wholeOption } from './report.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(newSeed()) },
    control: { type: 'boolean', default: false },
  },
})
const kills = wholeOption('kills', values.kills, 10, 1_000_000)
const seed = wholeOption('seed', values.seed, 0, 4_294_967_295)
const CONTROL_KILLS = 4
const PROGRESS_MS = 5000
// Longer than a drain at the end of a round takes.
const SILENCE_MS = 360_000

const began = performance.now()
const seconds = (): number => Math.round((performance.now() - began) / 1000)
console.log(`proof:kill: ${values.control ? 'the controls alone' : `${kills} kills and the controls`}, seed ${seed}`)
console.log(machine())

const folder = mkdtempSync(join(tmpdir(), 'keepsend-proof-'))
const processes = new Set() as Processes
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
process.once('exit', () => {
  for (const child of processes) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
})
const bundles = await bundle({
  app: new URL('./kill/app-process.ts', import.meta.url),
  receiver: new URL('./kill/receiver-process.ts', import.meta.url),
})
process.once('exit', () => bundles.remove())

let killed = 0
let lastKill = Date.now()
const progress = setInterval(() => {
  console.log(`  ${seconds()} s: ${killed} kills`)
  if (Date.now() - lastKill < SILENCE_MS) return
  console.error(`nothing was killed and nothing ended for ${SILENCE_MS / 1000} s: something hangs`)
  process.exit(1)
}, PROGRESS_MS)
const common = {
  seed,
  folder,
  bundles,
  processes,
  onKill() {
    killed++
    lastKill = Date.now()
  },
  onRound(line: string) {
    console.log(`  ${seconds()} s: ${line}`)
    lastKill = Date.now()
  },
}

const results: { installation: Installation; tally: Tally }[] = []
const [controls] = await Promise.all([
  runControls({ ...common, onKill: () => {} }, CONTROL_KILLS),
  values.control || strike(),
])
clearInterval(progress)

/** Runs all installations side by side. */
async function strike(): Promise<void> {
  const postgres = await startPostgres()
  try {
    const installations = installationsOn(postgres)
    const parts = divide(kills, installations)
    const run = async (installation: Installation, index: number): Promise<void> => {
      const tally = await runInstallation(installation, parts[index] ?? 0, { ...common, seed: seed + 1 + index })
      results.push({ installation, tally })
    }
    await Promise.all(installations.map(run))
  } finally {
    await postgres.end()
  }
}

const detectsMutants = controls.every(({ tally }) => tally.lost > 0)

const all = sum(results.map(({ tally }) => tally))
const withinBounds = results.every(
  ({ installation: { bound, claims }, tally }) =>
    tally.worst.duplicates <= bound && (!claims || tally.mostInFlight <= bound),
)
// A situation that never occurred is not proven.
const reachedAll = [...all.okIn.values(), all.pauses, all.expired].every((count) => count > 0)
const nothingWrong = all.lost + all.unexpected + all.unsettled + all.unexplained + all.misrecorded === 0
printInstallations()
console.log('\nwhere the kills fell')
for (const place of [...all.places.keys()].toSorted()) console.log(`  ${place.padEnd(34)}${all.places.get(place)}`)
for (const { mutant, tally } of controls) {
  console.log(
    `\ncontrol: an app that ${mutant} loses ${tally.lost} of ${tally.acknowledged} acknowledged deliveries in ${tally.kills} kills: ` +
      (tally.lost > 0 ? 'the harness detects it, as it must' : 'THE HARNESS DOES NOT DETECT IT'),
  )
}
report({
  name: 'proof:kill',
  ok: detectsMutants && nothingWrong && withinBounds && (values.control || reachedAll),
  seed,
  rows: [
    ['kills', all.kills],
    ...rowsOf(all),
    ...results.map(({ installation, tally }): [string, string] => [
      `${installation.name}: kills, lost; recovery p50 / p99 / max`,
      `${tally.kills}, ${tally.lost}; ${recoveryTimes(tally)}`,
    ]),
    ['within the bounds of in flight', withinBounds ? 'yes' : 'NO'],
    ...results.flatMap(({ installation, tally }) =>
      tally.unexplainedDetails.map((detail): [string, string] => [installation.name, detail]),
    ),
    ...controls.map(({ mutant, tally }): [string, string] => [
      `control: ${mutant}`,
      tally.lost > 0 ? `${tally.lost} lost, as it must` : 'NONE LOST',
    ]),
    ['duration', `${seconds()} s`],
  ],
})

function rowsOf(tally: Tally): [string, string | number][] {
  return [
    ['server killed, receiver killed', `${tally.serverKills}, ${tally.receiverKills}`],
    ['stopped past the lease, stalled by themselves', `${tally.stops}, ${tally.stalls}`],
    ['attempt', tally.attempt],
    ['acknowledged', tally.acknowledged],
    ['ok', tally.ok],
    ['of those in each workspace', [...tally.okIn].map(([workspaceId, ok]) => `${workspaceId} ${ok}`).join(', ')],
    ['expired at a disabled endpoint', tally.expired],
    ['pauses requested', tally.pauses],
    ['lost', tally.lost],
    ['unexpected', tally.unexpected],
    ['duplicated', tally.duplicated],
    ['of those after a time-out, after neither', `${tally.timedOut}, ${tally.unexplained}`],
    ['recovered', tally.recovered],
    ['unsettled', tally.unsettled],
    ['misrecorded', tally.misrecorded],
    ['worst duplicates per kill', `${tally.worst.duplicates} of ${tally.worst.inFlight} in flight`],
  ]
}

function printInstallations(): void {
  for (const { installation, tally } of results) {
    console.log(`\n${installation.name}: ${tally.kills} kills`)
    for (const [label, value] of rowsOf(tally)) console.log(`  ${label.padEnd(52)}${value}`)
    const inFlight = installation.claims
      ? `${tally.mostInFlight} (${installation.bound})`
      : `not readable from outside (${installation.bound})`
    console.log(`  ${'most in flight (bound)'.padEnd(52)}${inFlight}`)
    console.log(`  ${'recovery p50 / p99 / max'.padEnd(52)}${recoveryTimes(tally)}`)
  }
}
