import { type Child, startChild } from './child.ts'
import { wranglerEnv } from './wrangler.ts'

export interface StartWorkerOptions {
  /** Of its D1 and its queues. */
  folder: string
  /** `'0'`: any free port. */
  port: string
  vars: Readonly<Record<string, string>>
  /** Whether to create the tables first. */
  migrate: boolean
}

/** Runs a Worker of `src` on `wrangler dev`, as a process group. */
export function startWorker(file: string, { folder, port, vars, migrate }: StartWorkerOptions): Promise<Child> {
  const args = [file, '--ip=127.0.0.1', `--port=${port}`, '--inspector-port=0', '--log-level=error']
  args.push(`--persist-to=${folder}`, ...Object.entries(vars).map(([name, value]) => `--var=${name}:${value}`))
  const env = { ...wranglerEnv(folder), ...(migrate && { MIGRATE: folder }) }
  return startChild('wrangler-dev.ts', { env, args, group: true })
}
