import type { Receiver } from './receiver.ts'
import type { Stores } from './stores.ts'

/** The options of every workload. */
export interface Bench {
  /** Interleaved rounds. */
  rounds: number
  /** Events of the fastest contenders; slower ones get fewer, so that a round of each takes about as long. */
  events: number
  /** Only checks that everything runs; its figures say little. */
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

/** One line of a workload's table; the unit is in each figure's name. */
export interface Row {
  name: string
  figures: Record<string, number>
  /** The limit that it hits, if it was measured. */
  limit?: string
}

/** A target of the design: the figure found, and its bound. `found` is undefined if a part of it failed. */
export interface Target {
  what: string
  found: number | undefined
  should: { atLeast: number } | { atMost: number }
}

/** The results of a workload. */
export interface Findings {
  title: string
  rows: Row[]
  targets: Target[]
  /** By name: why a contender has no figures. */
  missing: Record<string, string>
  /** Stored in its JSON, for the plots. */
  data?: unknown
  /** Printed instead of the rows, if they are more than one table. */
  markdown?: string[]
}

export type Workload = (bench: Bench) => Promise<Findings>

/** Undefined if either is, because a contender failed. */
export function ratio(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined || other === 0 ? undefined : one / other
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Interpolates between neighbouring values. NaN for an empty list. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const below = sorted[Math.floor(at)] ?? Number.NaN
  const above = sorted[Math.ceil(at)] ?? below
  return below === above ? below : below + (above - below) * (at - Math.floor(at))
}
