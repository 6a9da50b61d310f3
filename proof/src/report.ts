import { availableParallelism, cpus, totalmem } from 'node:os'

/**
 * The result of a proof. Its last line on stdout is `RESULT` and this as JSON, which `pnpm proof` adds to its table.
 */
export interface Result {
  name: string
  ok: boolean
  seed: number
  rows: [label: string, value: string | number][]
}

/** Prints the table and the RESULT line, and sets the exit code. */
export function report(result: Result): void {
  const width = Math.max(...result.rows.map(([label]) => label.length))
  console.log('')
  for (const [label, value] of result.rows) console.log(`${label.padEnd(width + 2)}${value}`)
  console.log(`\n${result.name}: ${result.ok ? 'passed' : 'FAILED'}, seed ${result.seed}`)
  console.log(`RESULT ${JSON.stringify(result)}`)
  if (!result.ok) process.exitCode = 1
}

/** The machine of the figures. */
export function machine(): string {
  const model = cpus()[0]?.model ?? 'unknown processor'
  const gigabytes = Math.round(totalmem() / 2 ** 30)
  return `Node ${process.version}, ${process.platform} ${process.arch}, ${availableParallelism()} × ${model}, ${gigabytes} GB`
}

/** A whole number option within its bounds. Otherwise ends the process with 2, before anything starts. */
export function wholeOption(name: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= least && value <= most) return value
  console.error(`--${name} must be a whole number from ${least} to ${most}; found ${text}`)
  process.exit(2)
}

/** `p` from 0 to 1. */
export function percentile(sorted: readonly number[], p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? 0
}
