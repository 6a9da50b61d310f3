// `pnpm proof`: runs every proof in the size of CI, one after the other, with their output and one table at the end.
// `--only kill,model` runs these alone.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Result } from './report.ts'

const PROOFS = ['kill', 'power', 'model', 'simulate'] as const
// Far more than any proof takes on two cores: a proof that hangs is ended.
const LIMIT_MS = 480_000

const { values } = parseArgs({ options: { only: { type: 'string', default: PROOFS.join() } } })
const only = values.only.split(',')
const unknown = only.filter((name) => !PROOFS.some((proof) => proof === name))
if (unknown.length > 0) {
  console.error(`--only takes ${PROOFS.join(', ')}, with commas between them; found ${unknown.join(', ')}`)
  process.exit(1)
}

const began = performance.now()
const outcomes: { name: string; seconds: number; passed: boolean; result: Result | undefined }[] = []
for (const name of PROOFS.filter((proof) => only.includes(proof))) {
  console.log(`\n== proof:${name}`)
  outcomes.push({ name: `proof:${name}`, ...(await run(name)) })
}

console.log('\n== proof')
for (const { name, seconds, passed, result } of outcomes) {
  console.log(
    `\n${passed ? 'passed' : 'FAILED'}  ${seconds.toFixed(1).padStart(6)} s  ${name}  seed ${result?.seed ?? '-'}`,
  )
  const width = Math.max(0, ...(result?.rows ?? []).map(([label]) => label.length))
  for (const [label, value] of result?.rows ?? []) console.log(`    ${label.padEnd(width + 2)}${value}`)
}
const failed = outcomes.filter(({ passed }) => !passed)
const total = ((performance.now() - began) / 1000).toFixed(0)
console.log(
  failed.length === 0 ? `\nAll ${outcomes.length} passed in ${total} s.` : `\n${failed.length} failed, in ${total} s.`,
)
process.exitCode = failed.length === 0 ? 0 : 1

/** Runs a proof in a process of its own. Without a result it has failed, whatever its exit code. */
async function run(
  name: (typeof PROOFS)[number],
): Promise<{ seconds: number; passed: boolean; result: Result | undefined }> {
  const start = performance.now()
  const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url))
  const child = spawn(process.execPath, [...process.execArgv, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  const timer = setTimeout(() => child.kill('SIGTERM'), LIMIT_MS)
  let result: Result | undefined
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('RESULT ')) result = JSON.parse(line.slice('RESULT '.length)) as Result
    else console.log(line)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  return { seconds: (performance.now() - start) / 1000, passed: code === 0 && result?.ok === true, result }
}
