import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { pinning } from './cores.ts'
import type { Bench, Findings, Row, Target } from './workload.ts'

/** The folder of the JSON and the plots. Those of a quick run are temporary. */
export function resultsFolder(quick: boolean): URL {
  const folder = new URL(quick ? '../results/quick/' : '../results/', import.meta.url)
  mkdirSync(folder, { recursive: true })
  return folder
}

/** A workload's table, and the contenders that have no line in it. */
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

export function isMet({ found, should }: Target): boolean {
  if (found === undefined) return false
  return 'atLeast' in should ? found >= should.atLeast : found <= should.atMost
}

/** A target with its mark. */
export function inOneLine(target: Target): string {
  const { what, found, should } = target
  const bound = 'atLeast' in should ? `at least ${should.atLeast}` : `at most ${should.atMost}`
  return `${isMet(target) ? '✓' : '✗'} ${what}: ${found === undefined ? 'not measured' : shown(found)} (${bound})`
}

/** Writes a workload's findings to `results/<workload>.json`; those of a part go beside the whole. */
export function writeFindings(
  workload: string,
  { markdown: _, ...findings }: Findings,
  { rounds, events, quick, ...part }: Bench,
): void {
  const machine = { node: process.version, cpu: cpus()[0]?.model ?? '', cores: cpus().length, pinning }
  const targets = findings.targets.map((target) => ({ ...target, isMet: isMet(target) }))
  const stored = { workload, at: new Date().toISOString(), machine, rounds, events, ...findings, targets }
  // An event that was never received has an infinite latency, which JSON cannot express.
  const inJson = (_name: string, value: unknown): unknown => (value === Number.POSITIVE_INFINITY ? 'Infinity' : value)
  const name = [workload, part.only?.join('+'), part.store, part.processes].filter(Boolean).join('-')
  const text = JSON.stringify(stored, inJson, 2)
  writeFileSync(new URL(`${name}.json`, resultsFolder(quick)), `${text}\n`)
}

function shown(figure: number | undefined): string {
  if (figure === undefined || Number.isNaN(figure)) return '–'
  if (!Number.isFinite(figure)) return '∞'
  return Math.abs(figure) >= 100 ? String(Math.round(figure)) : figure.toFixed(figure < 1 ? 3 : 2)
}
