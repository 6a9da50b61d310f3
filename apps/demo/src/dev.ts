// `pnpm dev`: the app on Node and SQLite, with its pages, a receiver and traffic, until Ctrl-C.
import { join } from 'node:path'
import { startChild } from './child.ts'
import type { DevStage } from './traffic/open-dev.ts'
import { runDev } from './traffic/run-dev.ts'

const fileIn = (folder: string): string => join(folder, 'app.db')

const nodeStage: DevStage = {
  trusts: true,
  workerId: 'app',
  fileIn,
  start: (folder, { port, signInSecret }) =>
    startChild('node.ts', {
      env: {
        DATABASE_URL: '',
        DEMO_FILE: fileIn(folder),
        DEMO_TIMES: 'dev',
        LOG: 'error',
        PORT: port,
        SIGN_IN_SECRET: signInSecret,
        WORKER_ID: 'app',
      },
    }),
}

await runDev(nodeStage, { everyMs: 1500 })
