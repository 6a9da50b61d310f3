import { coresOfServers } from './cores.ts'
import { median } from './work.ts'

/** How much CPU everybody took in a round. */
export interface Busy {
  /** Of the cores that so many senders can fill, 0 to 1. */
  senders: number
  /** Of one core: it is one process. */
  receiver: number
  /** Postgres or Redis, in cores. 0 where there is none, undefined where it could not be read. */
  server: number | undefined
}

// Who is this busy is what holds the rest up.
const SATURATED = 0.85

/** Which limit a contender hits, in one line, as its rounds' medians show. */
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
