// `pnpm dev:cloudflare`: the app in workerd on `wrangler dev`, with D1, a queue, its pages, a receiver and traffic, until Ctrl-C.
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { KEEPSEND_SECRET_KEY } from './child.ts'
import { pause, request } from './http.ts'
import { startWorker } from './start-worker.ts'
import type { Dev, DevStage } from './traffic/open-dev.ts'
import { runDev } from './traffic/run-dev.ts'
import { wrangler } from './wrangler.ts'

// On the platform the cron runs each minute. Locally nothing else fires it.
const CRON_MS = 10_000

const cloudflareStage: DevStage = {
  trusts: false,
  // The name of all isolates together.
  workerId: 'cron',
  async fileIn(folder) {
    // The first command creates the database.
    await wrangler(['d1', 'execute', 'DB', '--local', '--persist-to', folder, '--command', 'select 1'], folder)
    return fileOfD1(folder)
  },
  start: (folder, { port, signInSecret }) =>
    startWorker('src/worker-dev.ts', {
      folder,
      port,
      vars: { KEEPSEND_SECRET_KEY, SIGN_IN_SECRET: signInSecret },
      migrate: false,
    }),
}

// Locally one consumer serves all endpoints, so there is less traffic than on Node.
await runDev(cloudflareStage, { everyMs: 4000, beside: fireCron })

async function fireCron({ app }: Dev, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const answer = await request(`${app.url}/cdn-cgi/handler/scheduled?format=json`)
    const { outcome } = answer.body as { outcome: string }
    if (outcome !== 'ok') throw new Error(`the cron ended with ${outcome}`)
    await pause(CRON_MS, signal)
  }
}

/** The file of the only database of a local D1. */
function fileOfD1(folder: string): string {
  const cwd = join(folder, 'v3/d1/miniflare-D1DatabaseObject')
  const [file, ...others] = globSync('*.sqlite', { cwd }).filter((name) => name !== 'metadata.sqlite')
  if (file === undefined || others.length > 0)
    throw new Error(`expected one database in ${cwd}; found ${others.length + (file ? 1 : 0)}`)
  return join(cwd, file)
}
