// Who runs where. Senders get the lower half of the cores, whatever answers them (receiver, Postgres, Redis) the upper
// half: on two cores one each. Without `taskset` nothing is pinned.
import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus } from 'node:os'

const count = availableParallelism()
const half = count >> 1
const canPin = count >= 2 && pinSelf()
const serverCores = Array.from({ length: count - half }, (_, index) => half + index)

export const pinning = canPin
  ? `senders pinned to core ${range(0, half - 1)}, receiver and servers to core ${range(half, count - 1)}`
  : 'not pinned'

/** This process, and whatever it starts without a core of its own, runs with the servers. */
function pinSelf(): boolean {
  try {
    execFileSync('taskset', ['-a', '-c', '-p', range(half, count - 1), String(process.pid)])
    return true
  } catch {
    return false
  }
}

/** The command that runs a file of ours as one of so many senders. */
export function senderCommand(file: string, args: readonly string[], senders: number): [string, string[]] {
  const command = [file, ...args]
  if (!canPin) return [process.execPath, command]
  const cores = senders === 1 ? '0' : range(0, half - 1)
  return ['taskset', ['-c', cores, process.execPath, ...command]]
}

/** How many cores so many senders can fill. */
export function coresOf(senders: number): number {
  return canPin ? Math.min(senders, half) : Math.min(senders, count)
}

/** From here to the call of the result: the busy share, 0 to 1, of the servers' cores. Undefined where nothing is pinned. */
export function watchServers(): () => number | undefined {
  const before = times()
  return () => {
    const after = times()
    return canPin ? (after.busy - before.busy) / Math.max(1, after.all - before.all) : undefined
  }
}

function times(): { busy: number; all: number } {
  const known = cpus()
  const sum = { busy: 0, all: 0 }
  for (const core of serverCores) {
    const { user = 0, nice = 0, sys = 0, irq = 0, idle = 0 } = known[core]?.times ?? {}
    sum.busy += user + nice + sys + irq
    sum.all += user + nice + sys + irq + idle
  }
  return sum
}

function range(from: number, to: number): string {
  return from === to ? String(from) : `${from}-${to}`
}
