// A process of the demo and whoever started it: the child says where it listens, and goes when its starter is gone.
import { type ChildProcess, type StdioOptions, fork } from 'node:child_process'
import { once } from 'node:events'

/** What a child says once it is ready. */
export interface Ready {
  url: string
  /** The operator's API key, from the app's first start on a file. */
  operatorKey?: string
}

export interface Child {
  readonly ready: Ready
  readonly pid: number
  /** Sends the signal, and resolves when the process is gone: its exit code, or the signal that ended it. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | string>
  /** When the process is gone, for whatever reason. */
  readonly gone: Promise<number | string>
}

/** Starts one of the demo's processes and waits until it listens. */
export async function startChild(file: 'node.ts' | 'receiver-node.ts', env: Record<string, string>): Promise<Child> {
  const stdio: StdioOptions = ['ignore', 'ignore', 'inherit', 'ipc']
  const execArgv = ['--conditions=@keepsend/source']
  const child = fork(new URL(file, import.meta.url), { env: { ...process.env, ...env }, stdio, execArgv })
  const gone = whenGone(child)
  const ready = await Promise.race([
    once(child, 'message').then(([message]) => message as Ready),
    gone.then((how) => Promise.reject(new Error(`${file} ended (${how}) before it was ready`))),
  ])
  return {
    ready,
    gone,
    pid: child.pid ?? 0,
    end(signal) {
      child.kill(signal)
      return gone
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
