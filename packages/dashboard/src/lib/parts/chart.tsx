import { scaleLinear } from 'd3-scale'
import { line } from 'd3-shape'
import type { Child } from 'hono/jsx'
import { type Reader, showNumber } from '../reader/reader.ts'
import { numberFormat } from '../reader/formats.ts'

const STEP = 10
const HEIGHT = 100

/** A series of bars, stacked from the bottom. */
export interface BarSeries {
  /** The class of its colour. */
  tone: 'f-ok' | 'f-retry' | 'f-fail'
  name: string
  values: readonly number[]
}

/** A series that is drawn as a line; null where there is no value. */
export interface LineSeries {
  tone: '' | 'b' | 'c'
  name: string
  values: readonly (number | null)[]
  /** Its last value, for the legend. */
  last: string
}

interface ChartText {
  id: string
  title: Child
  /** The chart in a sentence. */
  sentence: string
  /** What the first column of the table is. */
  column: string
  /** The name of each bucket, in the order of the values. */
  buckets: readonly string[]
  /** Labels under the chart, from the left. */
  axis: readonly string[]
  /** Whether the last bucket has only begun. */
  isLastPartial: boolean
  reader: Reader
}

export function BarChart({ series, ...text }: ChartText & { series: readonly BarSeries[] }) {
  const { buckets, reader } = text
  const totals = buckets.map((_, at) => series.reduce((sum, { values }) => sum + (values[at] ?? 0), 0))
  const scale = scaleLinear()
    .domain([0, Math.max(1, ...totals)])
    .nice(3)
    .range([HEIGHT, 0])
  const width = buckets.length * STEP
  const drawing = buckets.map((bucket, at) => {
    let below = 0
    const said = series.map(
      ({ name, values }) => `${showNumber(reader, values[at] ?? 0)} ${name.toLocaleLowerCase(reader.language)}`,
    )
    return (
      <g class={text.isLastPartial && at === buckets.length - 1 ? 'part' : undefined}>
        {series.toReversed().map(({ tone, values }) => {
          const value = values[at] ?? 0
          if (value === 0) return null
          const top = scale(below + value)
          // A failure is never thinner than a pixel.
          const height = Math.max(scale(below) - top, tone === 'f-fail' ? 1 : 0)
          below += value
          return (
            <rect
              class={tone}
              x={at * STEP + 1}
              y={round(scale(below - value) - height)}
              width={STEP - 2}
              height={round(height)}
            />
          )
        })}
        <rect class="hit" x={at * STEP} y={0} width={STEP} height={HEIGHT}>
          <title>{`${bucket}: ${said.join(', ')}`}</title>
        </rect>
      </g>
    )
  })
  const legend = series.map(({ tone, name, values }) => ({
    swatch: tone,
    name,
    value: showNumber(
      reader,
      values.reduce((sum, value) => sum + value, 0),
    ),
  }))
  const rows = series.map(({ name, values }) => ({ name, shown: values.map((value) => showNumber(reader, value)) }))
  return (
    <Figure
      {...text}
      legend={legend}
      rows={rows}
      width={width}
      ticks={scale.ticks(3)}
      y={scale}
      show={(value) => compact(reader, value)}
    >
      {drawing}
    </Figure>
  )
}

/** Durations on a log scale, from 1 ms. */
export function LogChart({
  series,
  show,
  ...text
}: ChartText & { series: readonly LineSeries[]; show: (value: number) => string }) {
  const { buckets } = text
  const all = series.flatMap(({ values }) => values.filter((value) => value !== null))
  const lowest = Math.floor(Math.log10(Math.max(1, Math.min(10, ...all))))
  const highest = Math.max(lowest + 1, Math.ceil(Math.log10(Math.max(1, ...all))))
  const scale = scaleLinear().domain([lowest, highest]).range([HEIGHT, 0])
  const y = (value: number): number => scale(Math.log10(Math.max(1, value)))
  const path = line<number | null>()
    .defined((value) => value !== null)
    .x((_, at) => at * STEP)
    .y((value) => round(y(value ?? 1)))
  const width = Math.max(1, buckets.length - 1) * STEP
  const ticks = Array.from({ length: highest - lowest + 1 }, (_, at) => 10 ** (lowest + at))
  const rows = series.map(({ name, values }) => ({
    name,
    shown: values.map((value) => (value === null ? '–' : show(value))),
  }))
  const legend = series.map(({ tone, name, last }) => ({ swatch: `line ${tone}`.trim(), name, value: last }))
  return (
    <Figure {...text} legend={legend} rows={rows} width={width} ticks={ticks} y={y} show={show}>
      {series.map(({ tone, values }) => (
        <path class={`ln ${tone}`.trim()} d={path(values) ?? ''} />
      ))}
    </Figure>
  )
}

interface FigureParts {
  legend: { swatch: string; name: string; value: string }[]
  rows: { name: string; shown: string[] }[]
  width: number
  ticks: readonly number[]
  y: (value: number) => number
  show: (value: number) => string
  children: Child
}

function Figure({
  id,
  title,
  sentence,
  column,
  buckets,
  axis,
  reader,
  legend,
  rows,
  width,
  ticks,
  y,
  show,
  children,
}: ChartText & FigureParts) {
  const marks = ticks.toReversed()
  return (
    <figure class="chart" aria-labelledby={id}>
      <figcaption>
        <h2 id={id}>{title}</h2>
        <ul class="legend">
          {legend.map(({ swatch, name, value }) => (
            <li>
              <span class={`sw ${swatch}`} />
              {name} <b>{value}</b>
            </li>
          ))}
        </ul>
      </figcaption>
      <div class="plot">
        <div class="y" aria-hidden="true">
          {marks.map((mark) => (
            <span>{show(mark)}</span>
          ))}
        </div>
        <svg viewBox={`0 0 ${width} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={sentence}>
          {marks.map((mark) => (
            <line class="gl" x1={0} x2={width} y1={round(y(mark))} y2={round(y(mark))} />
          ))}
          {children}
        </svg>
        <div class="x" aria-hidden="true">
          {axis.map((label) => (
            <span>{label}</span>
          ))}
        </div>
      </div>
      <details class="more-data">
        <summary>{reader.text('chart.table')}</summary>
        <table>
          <thead>
            <tr>
              <th scope="col">{column}</th>
              {rows.map(({ name }) => (
                <th scope="col" class="n">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {buckets
              .map((bucket, at) => (
                <tr>
                  <td>{bucket}</td>
                  {rows.map(({ shown }) => (
                    <td class="n">{shown[at]}</td>
                  ))}
                </tr>
              ))
              .toReversed()}
          </tbody>
        </table>
      </details>
    </figure>
  )
}

function compact({ language }: Reader, value: number): string {
  return numberFormat(language, { notation: 'compact', maximumFractionDigits: 1 }).format(value)
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
