import { spawn } from 'node:child_process'
import { processFile } from './build.ts'
import { senderCommand } from './cores.ts'

const PATIENCE_MS = 900_000

/** Runs a process that measures by itself, on a sender's core, and returns its findings. */
export async function runAlone<Found>(
  name: 'backlog' | 'd1' | 'history' | 'overhead' | 'pages',
  ask: unknown,
  { env = {}, patienceMs = PATIENCE_MS }: { env?: Record<string, string>; patienceMs?: number } = {},
): Promise<Found> {
  const [command, args] = senderCommand(processFile(name), [JSON.stringify(ask)], 1)
  // Its standard input ends with this process, and the process ends with its standard input.
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
    timeout: patienceMs,
  })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      const line = said.trim().split('\n').at(-1) ?? ''
      if (code === 0) resolve(JSON.parse(line) as Found)
      else reject(new Error(`${name} ended with ${code ?? signal}: ${said.slice(-500)}`))
    })
  })
}
