import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Processes } from './processes.ts'
import type { Strike } from './strike.ts'

/** Where wrangler.jsonc is. */
export const wranglerFolder = fileURLToPath(new URL('../../', import.meta.url))
const manifest = createRequire(import.meta.url).resolve('wrangler/package.json')
export const wranglerFile = join(dirname(manifest), 'bin/wrangler.js')

/** No update check, no telemetry, no geolocation, no prompts; its state is in the folder. */
function environment(folder: string): Record<string, string> {
  return {
    CI: '1',
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    TMPDIR: folder,
    WRANGLER_BUILD_CONDITIONS: '@keepsend/source,workerd,worker,browser',
    WRANGLER_HIDE_BANNER: 'true',
    WRANGLER_LOG_PATH: folder,
    WRANGLER_REGISTRY_PATH: folder,
    WRANGLER_SEND_ERROR_REPORTS: 'false',
    WRANGLER_SEND_METRICS: 'false',
    XDG_CONFIG_HOME: folder,
  }
}

/** A `wrangler dev` that serves. */
export interface Wrangler {
  url: string
  /** Sends SIGKILL to the whole group. */
  kill(): void
  readonly gone: Promise<unknown>
}

export async function startWrangler(
  folder: string,
  vars: { strike: Strike | undefined; killer: string },
  processes: Processes,
): Promise<Wrangler> {
  const args = ['--ip=127.0.0.1', '--port=0', '--inspector-port=0', '--log-level=none', `--persist-to=${folder}`]
  args.push(`--var=STRIKE:${vars.strike ? JSON.stringify(vars.strike) : ''}`, `--var=KILLER:${vars.killer}`)
  const child = fork(fileURLToPath(new URL('wrangler-process.ts', import.meta.url)), args, {
    env: { ...process.env, ...environment(folder) },
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    detached: true,
  })
  let there = true
  const group = { kill: () => void (there && child.pid && process.kill(-child.pid, 'SIGKILL')) }
  processes.add(group)
  const gone = once(child, 'exit').then(() => {
    there = false
    processes.delete(group)
  })
  const { url } = await Promise.race([
    once(child, 'message').then(([message]) => message as { url: string }),
    gone.then(() => Promise.reject(new Error('wrangler dev ended before it served'))),
  ])
  return { url, gone, ...group }
}
