// `pnpm bench [work …] [--rounds N] [--events N] [--quick]`: each work beside its ceiling, floor and peers in one
// interleaved run; what counts are the ratios of the medians. Nothing here is asserted by the test suite.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { buildProcesses } from './build.ts'
import { pinning } from './cores.ts'
import { plot } from './plots.ts'
import { startReceiver } from './receiver.ts'
import { inLines, inOneLine, keep, resultsFolder } from './report.ts'
import { Stores } from './stores.ts'
import type { Bar, Bench, Work } from './work.ts'
import { backlog } from './works/backlog.ts'
import { d1 } from './works/d1.ts'
import { drain } from './works/drain.ts'
import { enqueue } from './works/enqueue.ts'
import { isolation } from './works/isolation.ts'
import { latency } from './works/latency.ts'
import { memory } from './works/memory.ts'
import { overhead } from './works/overhead.ts'
import { postgres } from './works/postgres.ts'

const works: Record<string, Work> = {
  enqueue,
  drain,
  postgres,
  latency,
  backlog,
  overhead,
  memory,
  d1,
  isolation,
}

const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string' }, events: { type: 'string' }, quick: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const quick = values.quick
const rounds = Number(values.rounds ?? (quick ? 1 : 5))
const events = Number(values.events ?? (quick ? 2000 : 20_000))
const chosen = positionals.length > 0 ? positionals : Object.keys(works)
if (chosen.some((name) => !(name in works)) || !(rounds >= 1) || !(events >= 1000)) {
  console.error(
    `bench knows ${Object.keys(works).join(', ')}; --rounds 1 or more, --events 1000 or more; found ${process.argv.slice(2).join(' ')}`,
  )
  process.exit(2)
}

console.log(`Node ${process.version}, ${pinning}, medians of ${rounds} interleaved rounds`)
// Whatever ends it: processes end with it, and what it made for itself goes.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))
await buildProcesses()
const receiver = await startReceiver()
const stores = new Stores()
const bench: Bench = { rounds, events, quick, stores, receiver, say: (line) => console.log(line) }
const bars: Bar[] = []
const broken: string[] = []
try {
  for (const name of chosen) {
    console.log(`\n${name}`)
    try {
      const findings = await works[name]?.(bench)
      if (!findings) continue
      console.log(`\n${inLines(findings).join('\n')}`)
      keep(name, findings, bench)
      bars.push(...findings.bars)
    } catch (error) {
      broken.push(name)
      console.error(`${name} failed:`, error)
    }
  }
} finally {
  await stores.end()
  receiver.stop()
}
const drawn = await plot(resultsFolder(quick))
console.log(`\nresults and ${drawn.join(', ')} in ${fileURLToPath(resultsFolder(quick))}`)
console.log('\nbars')
for (const bar of bars) console.log(inOneLine(bar))
if (broken.length > 0) console.log(`not measured, because the work failed: ${broken.join(', ')}`)
