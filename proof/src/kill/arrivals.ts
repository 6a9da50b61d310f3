import { readFileSync } from 'node:fs'

/** One arrival, as the receiver's file has it. */
export interface Arrival {
  /** Milliseconds since the epoch. */
  at: number
  /** Which endpoint. */
  path: string
  /** The event's id. */
  id: string
  /** Whether the answer was a 2xx, or was to be one. */
  taken: boolean
  /** Whether the answer asked for a pause. */
  paused: boolean
  /** Signed with the endpoint's own secret. */
  genuine: boolean
  /** The event's number, from its payload. */
  n: number
  /** The answer found nobody to go to. The file has it in a line of its own. */
  cut?: boolean
}

export function keyOf({ at, path, id }: Pick<Arrival, 'at' | 'path' | 'id'>): string {
  return `${path} ${id} ${at}`
}

/** What a receiver has written down, over all its lives. */
export function readArrivals(file: string): Arrival[] {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Arrival | { cut: string })
  const cut = new Set(lines.flatMap((line) => (typeof line.cut === 'string' ? [line.cut] : [])))
  return lines.flatMap((line) => ('at' in line ? [{ ...line, cut: cut.has(keyOf(line)) }] : []))
}
