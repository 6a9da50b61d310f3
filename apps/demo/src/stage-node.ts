import { join } from 'node:path'
import { startChild } from './child.ts'
import { replayMissed } from './missed.ts'
import type { Stage } from './stage.ts'

/** The app on a SQLite file. */
export function nodeStage({ short = false } = {}): Stage {
  return {
    place: 'SQLite, synchronous=FULL',
    tours: short ? 12 : 60,
    kills: short ? 1 : 2,
    failsFrom: 'start',
    inFlight: 8,
    drainMs: 30_000,
    epilogue: replayMissed,
    start: (folder, port) =>
      startChild('node.ts', {
        env: { DATABASE_URL: '', DEMO_FILE: join(folder, 'app.db'), DEMO_TIMES: 'story', PORT: port },
      }),
  }
}
