// `pnpm bench [enqueue] [drain] [--rounds N]`: each work beside its ceiling or floor in one interleaved run; what counts
// are the ratios of the medians. Nothing here is asserted by the test suite.
import { parseArgs } from 'node:util'
import { type Contender, type Result, interleave, pinning, startReceiver } from './rounds.ts'

const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, events: { type: 'string', default: '40000' } },
  allowPositionals: true,
})
const rounds = Number(values.rounds)
const events = Number(values.events)
const CALLERS = 32
const CONCURRENCY = 32

/** A bar of the design: the ratio of two contenders' speeds, and what it should reach. */
interface Bar {
  what: string
  ratio: number
  bar: number
}

const works: Record<string, () => Promise<Bar[]>> = {
  async enqueue() {
    title(`durable enqueue: ${events} rows of 500 bytes, SQLite synchronous=FULL`)
    const results = await interleave(
      [
        { name: 'row by row', file: './enqueue-round.ts', args: ['row-by-row', events / 4, 1] },
        { name: `keepsend, ${CALLERS} callers`, file: './enqueue-round.ts', args: ['keepsend', events, CALLERS] },
      ],
      rounds,
      console.log,
    )
    const [alone, keepsend] = print(results, [events / 4, events])
    return [{ what: `enqueue, ${CALLERS} callers / row by row`, ratio: keepsend / alone, bar: 10 }]
  },

  async drain() {
    title(`drain: ${events} signed POSTs of 500 bytes, concurrency ${CONCURRENCY}, to a local receiver`)
    const receiver = await startReceiver()
    const args = [receiver.port, events, CONCURRENCY]
    const contenders: Contender[] = [
      { name: 'raw Pool.request', file: './drain-raw.ts', args },
      { name: 'keepsend FULL', file: './drain-keepsend.ts', args: [...args, 'FULL'] },
      { name: 'keepsend NORMAL', file: './drain-keepsend.ts', args: [...args, 'NORMAL'] },
    ]
    try {
      const [raw, full, normal] = print(await interleave(contenders, rounds, console.log), [events, events, events])
      return [
        { what: 'drain with FULL / raw Pool.request', ratio: full / raw, bar: 0.6 },
        { what: 'drain with NORMAL / raw Pool.request', ratio: normal / raw, bar: 0.8 },
      ]
    } finally {
      receiver.stop()
    }
  },
}

const chosen = positionals.length > 0 ? positionals : Object.keys(works)
const unknown = chosen.find((name) => !(name in works))
if (unknown !== undefined || !(rounds >= 1) || !(events >= 1000)) {
  console.error(
    `bench knows ${Object.keys(works).join(', ')}; --rounds 1 or more, --events 1000 or more; found ${process.argv.slice(2).join(' ')}`,
  )
  process.exit(2)
}
console.log(`Node ${process.version}, ${pinning}, medians of ${rounds} interleaved rounds`)
const bars: Bar[] = []
for (const name of chosen) bars.push(...((await works[name]?.()) ?? []))
title('bars')
for (const { what, ratio, bar } of bars)
  console.log(`${ratio >= bar ? '✓' : '✗'} ${what}: ${ratio.toFixed(2)} (bar ${bar})`)

function title(text: string): void {
  console.log(`\n${text}`)
}

/** Prints a row for each contender; returns their speeds, in events a second. */
function print(results: readonly Result[], counts: readonly number[]): [number, number, number] {
  const speeds = results.map(({ name, ms, maxRssMb, rounds: all }, index) => {
    const speed = (counts[index] ?? 0) / (ms / 1000)
    const memory = maxRssMb === undefined ? '' : `  peak ${Math.round(maxRssMb)} MB`
    const range = `${Math.round(Math.min(...all))}–${Math.round(Math.max(...all))} ms`
    console.log(`${name.padEnd(24)}${Math.round(speed).toString().padStart(8)} /s  (${range})${memory}`)
    return speed
  })
  return [speeds[0] ?? 0, speeds[1] ?? 0, speeds[2] ?? 0]
}
