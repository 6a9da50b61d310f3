import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { processFile } from './build.ts'

/** When a POST arrived: its `webhook-id`, and ms on the machine's monotonic clock. */
type Arrivals = Map<string, number>

/** The receiver's process. */
export interface Receiver {
  url: string
  /** Starts a round: forgets everything before; with `record` records when each POST arrives. */
  reset(record?: 'record'): Promise<void>
  /** Resolves when this many POSTs have arrived since the reset; rejects when that takes too long. */
  received(count: number, patienceMs?: number): Promise<void>
  /** ms of CPU that it has used so far. */
  cpuMs(): Promise<number>
  /** The arrivals recorded since the reset. */
  arrivals(): Promise<Arrivals>
  stop(): void
}

const PATIENCE_MS = 180_000

export async function startReceiver(): Promise<Receiver> {
  const child = spawn(process.execPath, [processFile('receiver')], { stdio: ['pipe', 'pipe', 'inherit'] })
  const port = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve)
    child.once('exit', (code) => reject(new Error(`the receiver ended with ${code}`)))
  })
  const url = `http://127.0.0.1:${port}`
  const ask = async (path: string, patienceMs = PATIENCE_MS): Promise<string> => {
    const response = await fetch(`${url}/${path}`, { signal: AbortSignal.timeout(patienceMs) })
    return response.text()
  }
  return {
    url: `${url}/`,
    async reset(record) {
      await ask(`reset/${record ?? ''}`)
    },
    async received(count, patienceMs) {
      try {
        await ask(`received/${count}`, patienceMs)
      } catch (error) {
        throw new Error(`${count} POSTs did not arrive in time`, { cause: error })
      }
    },
    cpuMs: async () => Number(await ask('cpu')),
    arrivals: async () => new Map(JSON.parse(await ask('reset/')) as [string, number][]),
    stop: () => void child.stdin.end(),
  }
}
