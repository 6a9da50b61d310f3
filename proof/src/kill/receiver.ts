import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { type Arrival, readArrivals } from './arrivals.ts'
import type { Processes } from './processes.ts'

export interface Receiver {
  url: string
  sendSecrets(secrets: Record<string, string>): Promise<void>
  /** Sends SIGKILL, and starts another one on the same port and file. */
  killAndRestart(): Promise<void>
  arrivals(): Arrival[]
  stop(): Promise<void>
}

export interface ReceiverOptions {
  bundle: string
  /** The file of its arrivals. */
  file: string
  seed: number
  /** Share of its responses that are a 500. */
  failing: number
  processes: Processes
}

/** Starts the receiver in a process of its own. */
export async function startReceiver({ bundle, file, seed, failing, processes }: ReceiverOptions): Promise<Receiver> {
  let known: Record<string, string> = {}
  let { child, port } = await start(0)

  async function start(on: number): Promise<{ child: ChildProcess; port: number }> {
    const started = fork(bundle, [file, String(on), String(seed), String(failing), JSON.stringify(known)], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    processes.add(started)
    started.once('exit', () => processes.delete(started))
    const [message] = (await once(started, 'message')) as [{ port: number }]
    return { child: started, port: message.port }
  }

  async function kill(): Promise<void> {
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  return {
    url: `http://127.0.0.1:${port}`,
    async sendSecrets(secrets) {
      known = secrets
      child.send(secrets)
      await once(child, 'message')
    },
    async killAndRestart() {
      await kill()
      ;({ child, port } = await start(port))
    },
    arrivals: () => readArrivals(file),
    stop: kill,
  }
}
