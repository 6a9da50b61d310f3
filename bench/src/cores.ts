// Core pinning. Senders get the lower half of the cores, the processes that answer them (receiver, Postgres, Redis) the
// upper half: on two cores one each. Without `taskset` nothing is pinned.
import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

const count = availableParallelism()
const half = count >> 1
const canPin = count >= 2 && pinSelf()

export const pinning = canPin
  ? `senders pinned to core ${range(0, half - 1)}, receiver and servers to core ${range(half, count - 1)}`
  : 'not pinned'

/** This process, and its children without a core of their own, run with the servers. */
function pinSelf(): boolean {
  try {
    execFileSync('taskset', ['-a', '-c', '-p', range(half, count - 1), String(process.pid)])
    return true
  } catch {
    return false
  }
}

/** The command that runs a file as one of this many senders. */
export function senderCommand(file: string, args: readonly string[], senders: number): [string, string[]] {
  const command = [file, ...args]
  if (!canPin) return [process.execPath, command]
  const cores = senders === 1 ? '0' : range(0, half - 1)
  return ['taskset', ['-c', cores, process.execPath, ...command]]
}

/** How many cores this many senders can fill. */
export function coresOf(senders: number): number {
  return canPin ? Math.min(senders, half) : Math.min(senders, count)
}

/** How many cores the receiver and the servers share. */
export const coresOfServers = canPin ? count - half : count

function range(from: number, to: number): string {
  return from === to ? String(from) : `${from}-${to}`
}
