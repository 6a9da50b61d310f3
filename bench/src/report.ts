import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { pinning } from './cores.ts'
import type { Bar, Bench, Findings, Row } from './work.ts'

/** Where the JSON and the plots go. Those of a quick run are not for keeping. */
export function resultsFolder(quick: boolean): URL {
  const folder = new URL(quick ? '../results/quick/' : '../results/', import.meta.url)
  mkdirSync(folder, { recursive: true })
  return folder
}

/** A work's table, and whoever has no line in it. */
export function inLines({ title, rows, missing, markdown }: Findings): string[] {
  const without = Object.entries(missing).map(([name, why]) => `  without ${name}: ${why}`)
  if (markdown) return [title, '', ...markdown, ...without]
  const columns = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))]
  const width = Math.max(0, ...rows.map(({ name }) => name.length)) + 2
  const line = ({ name, figures }: Row): string =>
    name.padEnd(width) + columns.map((column) => shown(figures[column]).padStart(column.length + 4)).join('')
  return [
    title,
    ''.padEnd(width) + columns.map((column) => column.padStart(column.length + 4)).join(''),
    ...rows.map(line),
    ...rows.flatMap(({ name, limit }) => (limit === undefined ? [] : [`  limit of ${name}: ${limit}`])),
    ...without,
  ]
}

/** A table for the docs. */
export function inMarkdown(columns: readonly string[], rows: readonly string[][]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)]
}

export function holds({ found, should }: Bar): boolean {
  if (found === undefined) return false
  return 'atLeast' in should ? found >= should.atLeast : found <= should.atMost
}

/** A bar with its mark. */
export function inOneLine(bar: Bar): string {
  const { what, found, should } = bar
  const bound = 'atLeast' in should ? `at least ${should.atLeast}` : `at most ${should.atMost}`
  return `${holds(bar) ? '✓' : '✗'} ${what}: ${found === undefined ? 'not measured' : shown(found)} (${bound})`
}

/** A work's findings as `results/<work>.json`; those of a part beside the whole. */
export function keep(
  work: string,
  { markdown: _, ...findings }: Findings,
  { rounds, events, quick, ...part }: Bench,
): void {
  const machine = { node: process.version, cpu: cpus()[0]?.model ?? '', cores: cpus().length, pinning }
  const bars = findings.bars.map((bar) => ({ ...bar, holds: holds(bar) }))
  const kept = { work, at: new Date().toISOString(), machine, rounds, events, ...findings, bars }
  // What never came took for ever, and JSON has no number for that.
  const inJson = (_name: string, value: unknown): unknown => (value === Number.POSITIVE_INFINITY ? 'Infinity' : value)
  const name = [work, part.only?.join('+'), part.store, part.processes].filter(Boolean).join('-')
  const text = JSON.stringify(kept, inJson, 2)
  writeFileSync(new URL(`${name}.json`, resultsFolder(quick)), `${text}\n`)
}

function shown(figure: number | undefined): string {
  if (figure === undefined || Number.isNaN(figure)) return '–'
  if (!Number.isFinite(figure)) return '∞'
  return Math.abs(figure) >= 100 ? String(Math.round(figure)) : figure.toFixed(figure < 1 ? 3 : 2)
}
