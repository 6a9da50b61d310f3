// SVG by vega-lite, which draws without a browser, from the stored JSON of a run.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import * as vega from 'vega'
import { type TopLevelSpec, compile } from 'vega-lite'
import type { Row } from './workload.ts'

interface Stored {
  rows: Row[]
  data?: unknown
}

/** Draws a plot for each result in the folder; returns the names of the files. */
export async function plot(folder: URL): Promise<string[]> {
  const drawn: string[] = []
  for (const [workload, draw] of Object.entries(plots)) {
    const file = new URL(`${workload}.json`, folder)
    if (!existsSync(file)) continue
    const stored = JSON.parse(readFileSync(file, 'utf8')) as Stored
    const view = new vega.View(vega.parse(compile(draw(stored)).spec), { renderer: 'none' })
    writeFileSync(new URL(`${workload}.svg`, folder), `${await view.toSVG()}\n`)
    drawn.push(`${workload}.svg`)
  }
  return drawn
}

const plots: Record<string, (stored: Stored) => TopLevelSpec> = { drain, latency, backlog }

const base = {
  $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
  background: 'white',
  padding: 12,
  width: 560,
} as const

/** Events a second, longest target first, of the contenders at 32. */
function drain({ rows }: Stored): TopLevelSpec {
  const values = rows.flatMap(({ name, figures }) => {
    const [contender = '', concurrency] = name.split(/, (?=\d+$)/)
    return concurrency === '32'
      ? [{ contender, speed: figures['events/s'] ?? 0, own: contender.startsWith('keepsend') }]
      : []
  })
  return {
    ...base,
    title: 'Signed POSTs a second from a backlog, 32 concurrent, one process',
    data: { values: values.toSorted((a, b) => b.speed - a.speed) },
    encoding: {
      y: { field: 'contender', type: 'nominal', sort: null, title: null, axis: { labelLimit: 220 } },
      x: { field: 'speed', type: 'quantitative', title: 'events/s' },
    },
    layer: [
      {
        mark: { type: 'bar' },
        encoding: {
          color: { field: 'own', type: 'nominal', legend: null, scale: { range: ['#9aa5b1', '#2563eb'] } },
        },
      },
      {
        mark: { type: 'text', align: 'left', dx: 4 },
        encoding: { text: { field: 'speed', type: 'quantitative', format: ',.0f' } },
      },
    ],
  }
}

/** The share of events that had arrived within a time. */
function latency({ data }: Stored): TopLevelSpec {
  const curves = data as { name: string; quantiles: { share: number; ms: number }[] }[]
  const values = curves.flatMap(({ name, quantiles }) => quantiles.map((point) => ({ contender: name, ...point })))
  return {
    ...base,
    height: 300,
    title: 'From publish to received at 200 events a second',
    data: { values },
    mark: { type: 'line', interpolate: 'linear', strokeWidth: 1.8 },
    encoding: {
      x: { field: 'ms', type: 'quantitative', scale: { type: 'log' }, title: 'ms (logarithmic)' },
      y: { field: 'share', type: 'quantitative', title: 'share received', axis: { format: '%' } },
      color: { field: 'contender', type: 'nominal', title: null, sort: null },
      order: { field: 'share', type: 'quantitative' },
    },
  }
}

/** ms by backlog. */
function backlog({ data }: Stored): TopLevelSpec {
  return {
    ...base,
    height: 260,
    title: 'Claim 25 and settle 25, by backlog',
    data: { values: data as { on: string; pending: number; ms: number }[] },
    mark: { type: 'line', point: true },
    encoding: {
      x: {
        field: 'pending',
        type: 'quantitative',
        scale: { type: 'log' },
        title: 'pending rows (logarithmic)',
        axis: { format: '~s', values: [1000, 10_000, 100_000, 1_000_000] },
      },
      y: { field: 'ms', type: 'quantitative', title: 'ms', scale: { zero: true } },
      color: { field: 'on', type: 'nominal', title: null },
    },
  }
}
