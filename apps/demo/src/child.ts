// Starts processes of the demo. A child reports the URL that it listens on, and ends when its parent is gone.
import { type ChildProcess, type StdioOptions, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** The message of a child that is ready. */
export interface Ready {
  url: string
  /** The operator's API key, on the first start on a database. */
  operatorKey?: string
  /** The link that signs the operator in to the dashboard. */
  dashboard?: string
  /** The URL of a receiver's second server, whose certificate has expired. */
  expiredUrl?: string
}

export interface Child {
  readonly ready: Ready
  readonly pid: number
  /** Sends SIGKILL. Resolves when the process has ended. */
  kill(): Promise<void>
  /** Asks it to stop; kills it after 10 s. */
  stop(): Promise<void>
  /** Resolves when the process has ended, with its exit code or signal. */
  readonly gone: Promise<number | string>
}

const PATIENCE_MS = 10_000

/** A new key for each story, like its database. */
export const KEEPSEND_SECRET_KEY = `k1:${randomBytes(32).toString('base64')}`

export interface ChildOptions {
  env: Record<string, string>
  args?: readonly string[]
  /** Run it in a process group of its own, which is killed as a whole. @default false */
  group?: boolean
  /** Receives each line that it writes to stderr. @default they are written to our stderr */
  onLog?: (line: string) => void
}

/** Starts one of the demo's processes and waits until it listens. */
export async function startChild(
  file: 'node.ts' | 'receiver-node.ts' | 'wrangler-dev.ts',
  { env, args = [], group = false, onLog }: ChildOptions,
): Promise<Child> {
  const stdio: StdioOptions = ['ignore', 'ignore', onLog ? 'pipe' : 'inherit', 'ipc']
  const execArgv = ['--conditions=@keepsend/source', `--import=${import.meta.resolve('./load-tsx.ts')}`]
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
    // Before the handler that removes the folder, so that nothing writes to it any more.
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
      // Not a signal: Ctrl-C has signalled the whole group already, and a second signal means "exit immediately".
      if (child.connected) child.disconnect()
      await gone
      clearTimeout(timer)
    },
  }
}

/** Call in the child: reports to its parent and stops when that is gone. Without a parent, prints the message. */
export function announceReady(ready: Ready, stop: () => Promise<void>): void {
  if (!process.send) {
    console.log(`listening on ${ready.url}`)
    if (ready.dashboard !== undefined) console.log(`the operator's dashboard: ${ready.dashboard}`)
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
