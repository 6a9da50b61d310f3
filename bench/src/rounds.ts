import { execFile, execFileSync, spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'
import { median } from './work.ts'

/** One contender's part of a work: the file that runs one round in a process of its own, and its arguments. */
export interface Contender {
  name: string
  file: string
  args: readonly (string | number)[]
}

/** What every round prints as its last line. */
interface Round {
  ms: number
  maxRssMb?: number
}

export interface Result {
  name: string
  /** Median of the rounds, in ms. */
  ms: number
  maxRssMb: number | undefined
  rounds: number[]
}

const run = promisify(execFile)

// Sender and receiver on a core each, where there are two and the system can: otherwise they take turns on both.
const canPin = availableParallelism() >= 2 && hasTaskset()
export const pinning = canPin ? 'sender pinned to core 0, receiver to core 1' : 'not pinned'

function pinned(core: number, file: string, args: readonly (string | number)[]): [string, string[]] {
  const command = [process.execPath, ...process.execArgv, new URL(file, import.meta.url).pathname, ...args.map(String)]
  return canPin ? ['taskset', ['-c', String(core), ...command]] : [command[0] ?? '', command.slice(1)]
}

function hasTaskset(): boolean {
  try {
    execFileSync('taskset', ['-c', '0', 'true'])
    return true
  } catch {
    return false
  }
}

/** The contenders in turn, round after round, so that a machine that slows down slows all of them. */
export async function interleave(
  contenders: readonly Contender[],
  rounds: number,
  onRound: (line: string) => void,
): Promise<Result[]> {
  const taken = new Map<string, Round[]>(contenders.map(({ name }) => [name, []]))
  for (let round = 1; round <= rounds; round++) {
    for (const { name, file, args } of contenders) {
      const { stdout } = await run(...pinned(0, file, args), { timeout: 300_000 })
      const result = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Round
      taken.get(name)?.push(result)
      onRound(`round ${round}/${rounds}  ${name}: ${Math.round(result.ms)} ms`)
    }
  }
  return [...taken].map(([name, results]) => {
    const memory = results.flatMap(({ maxRssMb }) => (maxRssMb === undefined ? [] : [maxRssMb]))
    const ms = results.map((result) => result.ms)
    return { name, ms: median(ms), maxRssMb: memory.length > 0 ? median(memory) : undefined, rounds: ms }
  })
}

/** Starts the receiver; answers its port and how to end it. */
export async function startReceiver(): Promise<{ port: string; stop: () => void }> {
  const receiver = spawn(...pinned(1, './receiver.ts', []), { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await new Promise<string>((resolve, reject) => {
    receiver.stdout.once('data', (line: Buffer) => resolve(line.toString().trim()))
    receiver.once('exit', (code) => reject(new Error(`the receiver ended with ${code}`)))
  })
  return { port, stop: () => void receiver.kill() }
}
