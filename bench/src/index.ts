// `pnpm bench [work …] [--rounds N] [--events N] [--quick]`: each work beside its ceiling, floor and peers in one
// interleaved run; what counts are the ratios of the medians. Nothing here is asserted by the test suite.
// `pnpm bench neighbours [--only K1.1,K1.4] [--store sqlite] [--processes 1]`: a part of that work.
// `pnpm bench [work …] --against <ref> [--at-least 0.97]`: this tree beside a commit, without peers. The exit code tells
// whether everything was measured, not whether a target is held.
import { fileURLToPath } from 'node:url'
import { compare, commitToCompare } from './against/compare.ts'
import { comparable } from './against/lines.ts'
import { type Arguments, readArguments } from './arguments.ts'
import { buildProcesses } from './build.ts'
import { pinning } from './cores.ts'
import { scenarios } from './neighbours/scenarios.ts'
import { plot } from './plots.ts'
import { startReceiver } from './receiver.ts'
import { inLines, inOneLine, keep, resultsFolder } from './report.ts'
import { Stores } from './stores.ts'
import type { Bar, Bench, Work } from './work.ts'
import { backlog } from './works/backlog.ts'
import { d1 } from './works/d1.ts'
import { drain } from './works/drain.ts'
import { enqueue } from './works/enqueue.ts'
import { latency } from './works/latency.ts'
import { memory } from './works/memory.ts'
import { neighbours } from './works/neighbours.ts'
import { overhead } from './works/overhead.ts'
import { postgres } from './works/postgres.ts'
import { rates } from './works/rates.ts'

const works: Record<string, Work> = {
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
}

const { asked, commit } = orExit()
console.log(`Node ${process.version}, ${pinning}, medians of ${asked.rounds} interleaved rounds`)
// Whatever ends it: processes end with it, and what it made for itself goes.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))
await buildProcesses()
const receiver = await startReceiver()
const stores = new Stores()
const bench: Bench = { ...asked, stores, receiver, say: (line) => console.log(line) }
let failed: string[] = []
try {
  failed =
    commit === undefined
      ? await measure(bench, asked.works)
      : await compare(bench, { works: asked.works, commit, atLeast: asked.atLeast })
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

/** What was asked for, and the commit to compare with. Ends the process where that cannot be done. */
function orExit(): { asked: Arguments; commit: string | undefined } {
  try {
    const all = Object.keys(works)
    const parts = [...new Set(scenarios.map(({ id }) => id))]
    const read = readArguments(process.argv.slice(2), { all, comparable: Object.keys(comparable), parts })
    return { asked: read, commit: read.against === undefined ? undefined : commitToCompare(read.against) }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exit(2)
  }
}

/** Each workload beside its ceiling, floor and peers; the names of those that failed. */
async function measure(run: Bench, chosen: readonly string[]): Promise<string[]> {
  const bars: Bar[] = []
  const broken: string[] = []
  for (const name of chosen) {
    console.log(`\n${name}`)
    try {
      const findings = await works[name]?.(run)
      if (!findings) continue
      console.log(`\n${inLines(findings).join('\n')}`)
      keep(name, findings, run)
      bars.push(...findings.bars)
    } catch (error) {
      broken.push(name)
      console.error(`${name} failed:`, error)
    }
  }
  const folder = resultsFolder(run.quick)
  console.log(`\nresults and ${(await plot(folder)).join(', ')} in ${fileURLToPath(folder)}`)
  console.log('\nbars')
  for (const bar of bars) console.log(inOneLine(bar))
  return broken
}
