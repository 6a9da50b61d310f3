// `pnpm bench [workload …] [--rounds N] [--events N] [--quick]`: runs each workload beside its ceiling, floor and peers
// in one interleaved run; only the ratios of the medians count. The test suite asserts none of them.
// `pnpm bench neighbours [--only K1.1,K1.4] [--store sqlite] [--processes 1]`: a part of that workload.
// `pnpm bench [workload …] --against <ref> [--at-least 0.97]`: this tree beside a commit, without peers. The exit code
// says whether everything was measured, not whether the targets are met.
import { fileURLToPath } from 'node:url'
import { commitToCompare, compare } from './against/compare.ts'
import { comparable } from './against/lines.ts'
import { type Arguments, readArguments } from './arguments.ts'
import { buildProcesses } from './build.ts'
import { pinning } from './cores.ts'
import { scenarios } from './neighbours/scenarios.ts'
import { plot } from './plots.ts'
import { startReceiver } from './receiver.ts'
import { inLines, inOneLine, resultsFolder, writeFindings } from './report.ts'
import { Stores } from './stores.ts'
import type { Bench, Target, Workload } from './workload.ts'
import { backlog } from './workloads/backlog.ts'
import { d1 } from './workloads/d1.ts'
import { drain } from './workloads/drain.ts'
import { enqueue } from './workloads/enqueue.ts'
import { history } from './workloads/history.ts'
import { latency } from './workloads/latency.ts'
import { memory } from './workloads/memory.ts'
import { neighbours } from './workloads/neighbours.ts'
import { overhead } from './workloads/overhead.ts'
import { pages } from './workloads/pages.ts'
import { postgres } from './workloads/postgres.ts'
import { rates } from './workloads/rates.ts'

const workloads: Record<string, Workload> = {
  enqueue,
  drain,
  postgres,
  latency,
  backlog,
  overhead,
  memory,
  d1,
  neighbours,
  rates,
  history,
  pages,
}

const { asked, commit } = orExit()
console.log(`Node ${process.version}, ${pinning}, medians of ${asked.rounds} interleaved rounds`)
// On any exit, the processes end with this one, and temporary files are removed.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))
await buildProcesses()
const receiver = await startReceiver()
const stores = new Stores()
const bench: Bench = { ...asked, stores, receiver, say: (line) => console.log(line) }
let failed: string[] = []
try {
  failed =
    commit === undefined
      ? await measure(bench, asked.workloads)
      : await compare(bench, { workloads: asked.workloads, commit, atLeast: asked.atLeast })
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  await stores.end()
  receiver.stop()
}
if (failed.length > 0) {
  console.log(`not measured: ${failed.join(', ')}`)
  process.exitCode = 1
}

/** The requested run, and the commit to compare with. Ends the process if the request is invalid. */
function orExit(): { asked: Arguments; commit: string | undefined } {
  try {
    const all = Object.keys(workloads)
    const parts = [...new Set(scenarios.map(({ id }) => id))]
    const read = readArguments(process.argv.slice(2), { all, comparable: Object.keys(comparable), parts })
    return { asked: read, commit: read.against === undefined ? undefined : commitToCompare(read.against) }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exit(2)
  }
}

/** Runs each workload beside its ceiling, floor and peers; returns the names of those that failed. */
async function measure(run: Bench, chosen: readonly string[]): Promise<string[]> {
  const targets: Target[] = []
  const broken: string[] = []
  for (const name of chosen) {
    console.log(`\n${name}`)
    try {
      const findings = await workloads[name]?.(run)
      if (!findings) continue
      console.log(`\n${inLines(findings).join('\n')}`)
      writeFindings(name, findings, run)
      targets.push(...findings.targets)
    } catch (error) {
      broken.push(name)
      console.error(`${name} failed:`, error)
    }
  }
  const folder = resultsFolder(run.quick)
  console.log(`\nresults and ${(await plot(folder)).join(', ')} in ${fileURLToPath(folder)}`)
  console.log('\ntargets')
  for (const target of targets) console.log(inOneLine(target))
  return broken
}
