/** What a proof came to: its last line, for whoever gathers several. */
export interface ProofResult {
  name: string
  ok: boolean
  seed: number | null
  rows: readonly (readonly [label: string, value: string | number])[]
}

/** Prints the table and, last of all, the result for a machine; the exit code says whether it holds. */
export function report(result: ProofResult): void {
  const width = Math.max(...result.rows.map(([label]) => label.length))
  console.log(`\n${result.name}: ${result.ok ? 'holds' : 'DOES NOT HOLD'}`)
  for (const [label, value] of result.rows) console.log(`  ${label.padEnd(width)}  ${shown(value)}`)
  console.log(`RESULT ${JSON.stringify(result)}`)
  process.exitCode = result.ok ? 0 : 1
}

/** A whole number with its thousands apart. */
export function shown(value: string | number): string {
  return typeof value === 'number' ? value.toLocaleString('en') : value
}

/** A whole number from the command line, or the end of the program with a word on what was found. */
export function wholeOption(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  console.error(`--${name} takes a whole number from ${min} to ${max}; found ${text}`)
  process.exit(2)
}
