// The app and the receiver as processes of their own, set up through the API only, as a customer would.
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
  /** How the receiver behaves there. @default it accepts everything immediately */
  behaviour?: Record<string, unknown>
  /** A description that is printed. */
  note: string
}

export interface Installation {
  /** The folder of the app's file. */
  folder: string
  /** Its processes, on one database. */
  apps: readonly App[]
  /** The first of them. */
  app: App
  receiver: Child
  keys: { operator: string; workspace: string }
  hooks: readonly Hook[]
  /** Ends all processes. The folder is removed when this process exits. */
  stop: () => Promise<void>
}

// So that deliveries to a stalled receiver are retried within seconds.
const RETRY_SCHEDULE = Array.from({ length: 20 }, () => 1)

/** Starts everything, and creates a workspace, its API key and the endpoints. */
export async function install(
  hooks: readonly Hook[],
  { start, processes = 1 }: Pick<Stage, 'start' | 'processes'>,
): Promise<Installation> {
  const folder = mkdtempSync(join(tmpdir(), 'keepsend-demo-'))
  // Runs however this process ends; its children end with it.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  const app = new App((port) => start(folder, port))
  const others = Array.from({ length: processes - 1 }, () => new App((port) => start(folder, port)))
  const apps = [app, ...others]
  const [receiver, { operatorKey: operator = '' }] = await Promise.all([
    startChild('receiver-node.ts', { env: { PORT: '0', RECEIVER_FILE: join(folder, 'arrivals.jsonl') } }),
    app.start(),
  ])
  // After the first process, which creates the tables and the operator's key.
  await Promise.all(others.map((other) => other.start()))
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
    await Promise.all([...apps, receiver].map((one) => one.stop()))
  }
  return { folder, apps, app, receiver, keys, hooks, stop }
}

/** Sets how the receiver behaves. */
export async function behave(receiver: Child, hook: string, how: Record<string, unknown>): Promise<void> {
  await ask(`${receiver.ready.url}/control`, { method: 'POST', body: JSON.stringify({ hook, ...how }) })
}

export function post(key: string, body: unknown): { method: string; key: string; body: string } {
  return { method: 'POST', key, body: JSON.stringify(body) }
}

/** A process of the app that can be killed and restarted on its database and port. */
export class App {
  readonly #start: (port: string) => Promise<Child>
  #url = ''
  #running: Promise<Child> | undefined
  #expected = true
  #restarting = false

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

  /** Killed, and not running again yet. */
  get restarting(): boolean {
    return this.#restarting
  }

  /** Resolves when the app runs: immediately, or after its restart. */
  async up(): Promise<void> {
    await this.#running
  }

  /** Kills it with SIGKILL, and starts it again on the same database. */
  async killAndRestart(afterKill: () => Promise<void>): Promise<void> {
    const child = await this.#running
    this.#expected = true
    this.#restarting = true
    // Set before the process has ended, so that clients whose connection breaks wait for the restart.
    this.#running = (async () => {
      await child?.kill()
      await afterKill()
      return this.#spawn()
    })()
    await this.#running
    this.#restarting = false
  }

  /** Resolves when the current process has ended, with the reason. */
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
