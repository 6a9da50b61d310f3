import { coresOfServers } from './cores.ts'
import { median } from './workload.ts'

/** How much CPU each side used in a round. */
export interface Busy {
  /** Share of the cores that this many senders can fill, 0 to 1. */
  senders: number
  /** Share of one core, because it is one process; 0 to 1. */
  receiver: number
  /** Postgres or Redis, in cores. 0 without a server, undefined if it could not be read. */
  server: number | undefined
}

// A process that is busier than this is the limit.
const SATURATED = 0.85

/** The limit that a contender hits, in one line, by the medians of its rounds. */
export function limitOf(rounds: readonly Busy[], waitsFor: string): string {
  const senders = median(rounds.map((busy) => busy.senders))
  const receiver = median(rounds.map((busy) => busy.receiver))
  const known = rounds.flatMap(({ server }) => (server === undefined ? [] : [server]))
  const server = known.length > 0 ? median(known) : 0
  const saturated = [
    ...(senders >= SATURATED ? ['its own CPU'] : []),
    ...(receiver >= SATURATED ? ["the receiver's CPU"] : []),
    ...(server > 0 && (receiver + server) / coresOfServers >= SATURATED
      ? ['the core of the server and the receiver']
      : []),
  ]
  const shares = [`senders ${percent(senders)}`, `receiver ${percent(receiver)}`]
  if (server > 0) shares.push(`server ${percent(server)}`)
  return `${saturated.length > 0 ? saturated.join(' and ') : `waiting for ${waitsFor}`} (of a core: ${shares.join(', ')})`
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`
}
