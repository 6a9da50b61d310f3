// `pnpm test`: every check that CI makes, cheapest first, stopping at the first that fails. Ends with what each took.
import { spawnSync } from 'node:child_process'

const checks: readonly (readonly [name: string, command: string])[] = [
  ['format', 'oxfmt --check .'],
  ['lint', 'oxlint .'],
  ['unused code', 'knip'],
  ['types of the tooling', 'tsc -p tsconfig.json'],
  ['types and builds', 'turbo run typecheck build --output-logs=errors-only'],
  ['tests', 'vitest run'],
]

const summary: string[] = []
const started = performance.now()
let failed = false

for (const [name, command] of checks) {
  console.log(`\n== ${name}: ${command}`)
  const before = performance.now()
  const { status } = spawnSync(command, {
    shell: true,
    stdio: 'inherit',
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' },
  })
  failed = status !== 0
  summary.push(`${failed ? 'failed' : 'passed'}  ${seconds(before)}  ${name}`)
  if (failed) break
}

console.log(`\n${summary.join('\n')}`)
for (const [name] of checks.slice(summary.length)) console.log(`not run            ${name}`)
console.log(failed ? '\nFailed.' : `\nAll ${checks.length} checks passed in ${seconds(started).trim()}.`)
process.exitCode = failed ? 1 : 0

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1).padStart(6)} s`
}
