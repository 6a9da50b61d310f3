import { median } from './work.ts'

/** How busy the machine was in a round, 0 to 1. */
export interface Busy {
  /** Of what so many senders can have. */
  senders: number
  /** Of the servers' cores; undefined where nothing is pinned. */
  servers: number | undefined
}

// A core that is this busy is what holds the rest up.
const SATURATED = 0.85

/** Which limit a contender hits, in one line, as its rounds' medians show. */
export function limitOf(rounds: readonly Busy[], waitsFor: string): string {
  const senders = median(rounds.map((busy) => busy.senders))
  const known = rounds.flatMap(({ servers }) => (servers === undefined ? [] : [servers]))
  const servers = known.length > 0 ? median(known) : undefined
  const shares = `senders ${percent(senders)}${servers === undefined ? '' : `, receiver and servers ${percent(servers)}`}`
  const saturated = [
    ...(senders >= SATURATED ? ['its own CPU'] : []),
    ...(servers !== undefined && servers >= SATURATED ? ['the CPU of the receiver and the servers'] : []),
  ]
  return `${saturated.length > 0 ? saturated.join(' and ') : `waiting for ${waitsFor}`} (busy: ${shares})`
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`
}
