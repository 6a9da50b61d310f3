// A process of the demo and whoever started it: the child says where it listens, and goes when its starter is gone.
import { type ChildProcess, type StdioOptions, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** What a child says once it is ready. */
export interface Ready {
  url: string
  /** The operator's API key, from the app's first start on a file. */
  operatorKey?: string
}

export interface Child {
  readonly ready: Ready
  readonly pid: number
  /** SIGKILL: no clean-up, no goodbye. Resolves when the process is gone. */
  kill(): Promise<void>
  /** Asks it to finish and go; kills it if it has not gone within 10 s. */
  stop(): Promise<void>
  /** When the process is gone, for whatever reason: its exit code or the signal. */
  readonly gone: Promise<number | string>
}

const PATIENCE_MS = 10_000

/** Made anew for each story: its database goes with it. */
export const KEEPSEND_SECRET_KEY = `k1:${randomBytes(32).toString('base64')}`

export interface ChildOptions {
  env: Record<string, string>
  args?: readonly string[]
  /** It and all that it starts are a process group of their own, which is killed as a whole. @default false */
  group?: boolean
  /** Takes each line that it writes to stderr. @default they are written to ours */
  onLog?: (line: string) => void
}

/** Starts one of the demo's processes and waits until it listens. */
export async function startChild(
  file: 'node.ts' | 'receiver-node.ts' | 'wrangler-dev.ts',
  { env, args = [], group = false, onLog }: ChildOptions,
): Promise<Child> {
  const stdio: StdioOptions = ['ignore', 'ignore', onLog ? 'pipe' : 'inherit', 'ipc']
  const execArgv = ['--conditions=@keepsend/source']
  const child = fork(new URL(file, import.meta.url), args, {
    env: { ...process.env, KEEPSEND_SECRET_KEY, ...env },
    stdio,
    execArgv,
    detached: group,
  })
  if (onLog && child.stderr) createInterface(child.stderr).on('line', onLog)
  const gone = whenGone(child)
  const kill = (): void => {
    if (group && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    else child.kill('SIGKILL')
  }
  if (group) {
    // Before the handler that removes the folder: nothing may write to it any more.
    process.prependOnceListener('exit', kill)
    void gone.then(() => process.removeListener('exit', kill))
  }
  const ready = await Promise.race([
    once(child, 'message').then(([message]) => message as Ready),
    gone.then((how) => Promise.reject(new Error(`${file} ended (${how}) before it was ready`))),
  ])
  return {
    ready,
    gone,
    pid: child.pid ?? 0,
    async kill() {
      kill()
      await gone
    },
    async stop() {
      const timer = setTimeout(kill, PATIENCE_MS)
      // Not a signal: Ctrl-C has sent one to the whole group already, and a second one means "at once".
      if (child.connected) child.disconnect()
      await gone
      clearTimeout(timer)
    },
  }
}

/** In the child: tells the starter, if there is one, and stops when it is gone. Prints it otherwise. */
export function announceReady(ready: Ready, stop: () => Promise<void>): void {
  if (!process.send) {
    console.log(`listening on ${ready.url}`)
    if (ready.operatorKey !== undefined) console.log(`the operator's API key, shown once: ${ready.operatorKey}`)
    return
  }
  process.send(ready)
  process.once('disconnect', () => void stop().finally(() => process.exit()))
}

async function whenGone(child: ChildProcess): Promise<number | string> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  return code ?? signal ?? 'unknown'
}
