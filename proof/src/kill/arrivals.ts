import { readFileSync } from 'node:fs'

/** One arrival, as in the receiver's file. */
export interface Arrival {
  /** Milliseconds since the epoch. */
  at: number
  /** Path of its endpoint. */
  path: string
  /** The event's id. */
  id: string
  /** Whether the response was, or would have been, a 2xx. */
  taken: boolean
  /** Whether the response asked for a pause. */
  paused: boolean
  /** Signed with the endpoint's own secret. */
  genuine: boolean
  /** The event's number, from its payload. */
  n: number
  /** The response could not be sent. In the file this is a line of its own. */
  cut?: boolean
}

export function keyOf({ at, path, id }: Pick<Arrival, 'at' | 'path' | 'id'>): string {
  return `${path} ${id} ${at}`
}

/** Reads what all processes of the receiver have recorded. */
export function readArrivals(file: string): Arrival[] {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Arrival | { cut: string })
  const cut = new Set(lines.flatMap((line) => (typeof line.cut === 'string' ? [line.cut] : [])))
  return lines.flatMap((line) => ('at' in line ? [{ ...line, cut: cut.has(keyOf(line)) }] : []))
}
