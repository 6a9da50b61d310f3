// Runs wrangler from source, without network access or questions.
import { execFile, execSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import manifest from '../package.json' with { type: 'json' }

/** The app's folder: wrangler.jsonc is in it. */
export const appFolder = fileURLToPath(new URL('..', import.meta.url))

/** Wrangler's command. */
export const wranglerFile = join(appFolder, 'node_modules/wrangler/bin/wrangler.js')

/** No update check, telemetry, location look-up or questions; its state is stored in the folder. */
export function wranglerEnv(folder: string): Record<string, string> {
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

/** Runs a wrangler command and returns its output. Rejects when it fails. */
export async function wrangler(args: readonly string[], folder: string): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [wranglerFile, ...args], {
    cwd: appFolder,
    env: { ...process.env, ...wranglerEnv(folder) },
    // Fifteen migrations take a minute on a busy machine.
    timeout: 180_000,
  })
  return stdout + stderr
}

/** Creates the tables of Keepsend and of the app in a local D1 in the folder, as `deploy` does in a real one. */
export async function migrateLocally(folder: string): Promise<void> {
  execSync(manifest.scripts.migrations, { cwd: appFolder })
  await wrangler(['d1', 'migrations', 'apply', 'DB', '--local', '--persist-to', folder], folder)
}
