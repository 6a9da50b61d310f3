import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Processes } from './processes.ts'
import type { Keys } from './sites.ts'
import type { Stall } from './stall.ts'
import type { Strike } from './strike.ts'

/** Deliberate defects: each must lose deliveries, or the run proves nothing. */
export const MUTANTS = ['acknowledges before it commits', 'settles before it sends'] as const
export type Mutant = (typeof MUTANTS)[number]

/** Options of the app's process. */
export interface AppSetup {
  file?: string
  postgres?: string
  concurrency: number
  settleBatch: number
  /** A folder of the host's own `.sql` files. */
  migrations: string
  /** Expected from the start on, also during migrations. */
  strike?: Strike
  mutant?: Mutant
  /** Create an API key for each workspace. */
  makeKeys?: boolean
}

export type AppMessage = { url: string; keys?: Keys } | { unanswered: Unanswered } | { stall: Stall }

/** An attempt that ended without a response, as its sender saw it. */
export interface Unanswered {
  /** Path of its endpoint. */
  path: string
  /** The event's id. */
  id: string
  /** Milliseconds since the epoch. */
  at: number
}

export interface AppOrder {
  strike?: Strike
  stop?: boolean
}

/** A running or starting app. */
export interface App {
  /** Its URL; undefined until it listens, and after it has ended. */
  url: string | undefined
  keys: Keys | undefined
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void
  order(order: AppOrder): void
  /** Resolves when it listens; rejects if it ends before. */
  readonly ready: Promise<void>
  /** The signal that ended it, or its exit code. */
  readonly gone: Promise<NodeJS.Signals | number>
}

/** Starts the bundled app in a process of its own, which ends with its parent, however that ends. */
export function startApp(
  bundle: string,
  setup: AppSetup,
  processes: Processes,
  on: { unanswered(attempt: Unanswered): void; stall(stall: Stall): void },
): App {
  const child = fork(bundle, [JSON.stringify(setup)], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  processes.add(child)
  const gone = once(child, 'exit').then((exit) => {
    const [code, signal] = exit as [number | null, NodeJS.Signals | null]
    processes.delete(child)
    app.url = undefined
    return signal ?? code ?? 0
  })
  const app: App = {
    url: undefined,
    keys: undefined,
    signal: (signal) => void child.kill(signal),
    order: (order) => void (child.connected && child.send(order, () => {})),
    ready: new Promise((resolve, reject) => {
      child.on('message', (message: AppMessage) => {
        if ('unanswered' in message) {
          on.unanswered(message.unanswered)
          return
        }
        if ('stall' in message) {
          on.stall(message.stall)
          return
        }
        app.url = message.url
        app.keys = message.keys
        resolve()
      })
      void gone.then((how) => reject(new Error(`the app ended (${how}) before it listened`)))
    }),
    gone,
  }
  app.ready.catch(() => undefined)
  return app
}
