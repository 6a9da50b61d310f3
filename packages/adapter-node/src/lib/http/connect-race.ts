import type { Socket } from 'node:net'
import type { buildConnector } from 'undici/index.js'
import type { Address, Late } from './dns-lookup.ts'

type Connection = Parameters<buildConnector.connector>

// RFC 8305, section 5.
const BETWEEN_TRIES_MS = 250

/**
 * Connects to the first address that answers (RFC 8305): address families alternate, and the next try starts after 250 ms or
 * when the one before fails, while earlier tries go on. Node's own algorithm abandons each try after 250 ms and never reaches
 * a host that is further away than that.
 */
export function connectToFirst(
  connect: buildConnector.connector,
  target: Connection[0],
  { addresses, late }: { addresses: readonly Address[]; late?: Late | undefined },
  timeoutMs: number,
  callback: Connection[1],
): void {
  const waiting = inTurn(addresses)
  const open = new Set<Socket>()
  let trying = 0
  let isLatePending = late !== undefined
  let failure: Parameters<Connection[1]> | undefined
  let isOver = false
  let next: NodeJS.Timeout | undefined
  const end = (...answer: Parameters<Connection[1]>): void => {
    isOver = true
    clearTimeout(next)
    clearTimeout(timeout)
    const [, winner] = answer
    for (const socket of open) if (socket !== winner) discard(socket)
    callback(...answer)
  }
  const timeout = setTimeout(
    () => end(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' }), null),
    timeoutMs,
  )
  const attempt = (): void => {
    clearTimeout(next)
    const address = waiting.shift()
    if (address === undefined) return
    trying++
    next = setTimeout(attempt, BETWEEN_TRIES_MS)
    // undici's connectors return the socket, which is not in their type.
    const made: unknown = connect({ ...target, hostname: address.address }, (...answer) => {
      trying--
      const [error, socket] = answer
      if (isOver) {
        if (socket) discard(socket)
      } else if (!error) end(...answer)
      else if (waiting.length > 0) attempt()
      else {
        failure = answer
        if (trying === 0 && !isLatePending) end(...answer)
      }
    })
    if (isSocket(made)) {
      open.add(made)
      if (isOver && made.connecting) discard(made)
    }
  }
  attempt()
  void late?.then((more) => {
    isLatePending = false
    // Tried before the remaining addresses of the first family, none of which has connected yet.
    waiting.unshift(...more)
    if (isOver) return
    if (waiting.length > 0) attempt()
    else if (trying === 0 && failure) end(...failure)
  })
}

/** The first address of each family, then the second, and so on, starting with the family of the first. */
function inTurn(addresses: readonly Address[]): Address[] {
  const families = Map.groupBy(addresses, ({ family }) => family)
  const lists = [...families.values()]
  const longest = Math.max(0, ...lists.map(({ length }) => length))
  return Array.from({ length: longest }, (_, at) => lists.flatMap((list) => list[at] ?? [])).flat()
}

export function isSocket(made: unknown): made is Socket {
  return typeof made === 'object' && made !== null && 'destroy' in made
}

export function discard(socket: Socket): void {
  socket.on('error', () => undefined).destroy()
}
