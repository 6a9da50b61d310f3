// The app and the receiver as processes of their own, set up by the API alone, as a customer would.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, startChild } from './child.ts'
import { ask } from './http.ts'
import type { Stage } from './stage.ts'

/** A webhook endpoint of the installation, and the hook of the receiver behind it. */
export interface Hook {
  hook: string
  by: 'operator' | 'workspace'
  eventTypes: string[]
  /** How the receiver behaves there. @default it takes everything at once */
  behaviour?: Record<string, unknown>
  /** What is unusual about it, for people. */
  note: string
}

export interface Installation {
  /** Where the app's file is. */
  folder: string
  app: App
  receiver: Child
  keys: { operator: string; workspace: string }
  hooks: readonly Hook[]
  /** Ends both processes. The folder goes when this process does. */
  stop: () => Promise<void>
}

// A stalled receiver's deliveries must not take minutes to come round again.
const RETRY_SCHEDULE = Array.from({ length: 20 }, () => 1)

/** Starts both, makes a workspace, its API key, and the endpoints. */
export async function install(hooks: readonly Hook[], { start }: Pick<Stage, 'start'>): Promise<Installation> {
  const folder = mkdtempSync(join(tmpdir(), 'keepsend-demo-'))
  // However this process ends; its children end with it.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  const app = new App((port) => start(folder, port))
  const [receiver, { operatorKey: operator = '' }] = await Promise.all([
    startChild('receiver-node.ts', { env: { PORT: '0', RECEIVER_FILE: join(folder, 'arrivals.jsonl') } }),
    app.start(),
  ])
  const made = await ask<{ data: { id: string } }>(`${app.url}/workspaces`, post(operator, { name: 'Acme' }))
  const path = `${app.url}/workspaces/${made.data.id}/api-keys`
  const { key: workspace } = await ask<{ key: string }>(path, post(operator, { name: 'demo' }))
  const keys = { operator, workspace }
  for (const { hook, by, eventTypes, behaviour } of hooks) {
    const endpoint = {
      url: `${receiver.ready.url}/hooks/${hook}`,
      description: hook,
      eventTypes,
      retrySchedule: RETRY_SCHEDULE,
    }
    const { secret } = await ask<{ secret: string }>(`${app.url}/webhooks/endpoints`, post(keys[by], endpoint))
    await behave(receiver, hook, { secret, ...(behaviour && { behaviour }) })
  }
  const stop = async (): Promise<void> => {
    await Promise.all([app.stop(), receiver.stop()])
  }
  return { folder, app, receiver, keys, hooks, stop }
}

/** Tells the receiver how to behave. */
export async function behave(receiver: Child, hook: string, how: Record<string, unknown>): Promise<void> {
  await ask(`${receiver.ready.url}/control`, { method: 'POST', body: JSON.stringify({ hook, ...how }) })
}

export function post(key: string, body: unknown): { method: string; key: string; body: string } {
  return { method: 'POST', key, body: JSON.stringify(body) }
}

/** The app's process, which can be killed and started again on what it keeps and on its port. */
export class App {
  readonly #start: (port: string) => Promise<Child>
  #url = ''
  #running: Promise<Child> | undefined
  #expected = true

  constructor(start: (port: string) => Promise<Child>) {
    this.#start = start
  }

  get url(): string {
    return this.#url
  }

  async start(): Promise<Child['ready']> {
    this.#running = this.#spawn()
    return (await this.#running).ready
  }

  /** Resolves when the app runs: at once, or when it has been started again. */
  async up(): Promise<void> {
    await this.#running
  }

  /** SIGKILL, and a start on what it has kept. */
  async killAndRestart(afterKill: () => Promise<void>): Promise<void> {
    const child = await this.#running
    this.#expected = true
    // Set before the process is gone: whoever loses a connection by it waits for the next one.
    this.#running = (async () => {
      await child?.kill()
      await afterKill()
      return this.#spawn()
    })()
    await this.#running
  }

  /** When the present process is gone: how it ended. */
  async gone(): Promise<string> {
    const child = await this.#running
    return `the app ended: ${await child?.gone}`
  }

  async stop(): Promise<void> {
    this.#expected = true
    const child = await this.#running?.catch(() => undefined)
    await child?.stop()
  }

  async #spawn(): Promise<Child> {
    const port = this.#url === '' ? '0' : new URL(this.#url).port
    const child = await this.#start(port)
    this.#url = child.ready.url
    this.#expected = false
    void child.gone.then((how) => {
      if (this.#expected) return
      this.#running = Promise.reject(new Error(`the app ended by itself: ${how}`))
      this.#running.catch(() => {})
    })
    return child
  }
}
