import type { Receiver } from './receiver.ts'
import type { Stores } from './stores.ts'

/** What every work is given. */
export interface Bench {
  /** Interleaved rounds. */
  rounds: number
  /** Events of the fastest contenders; the others' are fewer, so that a round of each takes about as long. */
  events: number
  /** A look at whether all of it works; its figures say little. */
  quick: boolean
  /** The part of `neighbours` to measure; see {@link Arguments}. */
  only?: readonly string[] | undefined
  store?: 'sqlite' | 'postgres' | undefined
  processes?: number | undefined
  stores: Stores
  receiver: Receiver
  /** The built worker process to measure. @default this tree's */
  workerFile?: string | undefined
  say: (line: string) => void
}

/** One line of a work's table; the unit is in each figure's name. */
export interface Row {
  name: string
  figures: Record<string, number>
  /** What it runs into, where that was seen. */
  limit?: string
}

/** A bar of the design: what was found beside what it should be. `found` is undefined if a part of it failed. */
export interface Bar {
  what: string
  found: number | undefined
  should: { atLeast: number } | { atMost: number }
}

/** What a work found. */
export interface Findings {
  title: string
  rows: Row[]
  bars: Bar[]
  /** By name: why a contender has no figures. */
  missing: Record<string, string>
  /** Kept in its JSON, for the plots. */
  data?: unknown
  /** Printed in place of the rows, where they are more than one table. */
  markdown?: string[]
}

export type Work = (bench: Bench) => Promise<Findings>

/** Undefined if either is: a contender that failed. */
export function ratio(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined || other === 0 ? undefined : one / other
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Between neighbours in proportion. NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const below = sorted[Math.floor(at)] ?? Number.NaN
  const above = sorted[Math.ceil(at)] ?? below
  return below === above ? below : below + (above - below) * (at - Math.floor(at))
}
