import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Processes } from './processes.ts'
import type { Keys } from './sites.ts'
import type { Standstill } from './standstill.ts'
import type { Strike } from './strike.ts'

/** Defects put in on purpose: with each of them the run has to come to lost deliveries, or it proves nothing. */
export const MUTANTS = ['acknowledges before it commits', 'settles before it sends'] as const
export type Mutant = (typeof MUTANTS)[number]

/** What the app is started with. */
export interface AppSetup {
  file?: string
  postgres?: string
  concurrency: number
  settleBatch: number
  /** A folder of `.sql` files of the host's own. */
  migrations: string
  /** Expected from the first moment on, migrations included. */
  strike?: Strike
  mutant?: Mutant
  /** Make an API key for each workspace. */
  makeKeys?: boolean
}

export type AppMessage = { url: string; keys?: Keys } | { unanswered: Unanswered } | { standstill: Standstill }

/** An attempt that ended without an answer, as its sender saw it. */
export interface Unanswered {
  /** Which endpoint. */
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

/** A running app, or one that is on its way. */
export interface App {
  /** Where it listens; undefined until it does, and again when it is gone. */
  url: string | undefined
  keys: Keys | undefined
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void
  order(order: AppOrder): void
  /** Resolves when it listens; rejects when it has gone instead. */
  readonly ready: Promise<void>
  /** The signal that ended it, or its exit code. */
  readonly gone: Promise<NodeJS.Signals | number>
}

/** Starts the bundled app in a process of its own. It ends with its parent, however that ends. */
export function startApp(
  bundle: string,
  setup: AppSetup,
  processes: Processes,
  on: { unanswered(attempt: Unanswered): void; standstill(standstill: Standstill): void },
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
        if ('standstill' in message) {
          on.standstill(message.standstill)
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
