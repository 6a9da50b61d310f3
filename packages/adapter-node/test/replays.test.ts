// Replay jobs with a poller: they flow by themselves, and the example of the docs runs.
import { expect, it } from 'vitest'
import { runDocsExample } from './docs-example.ts'
import { PATIENCE_MS, temporaryFile } from './rig.ts'

it(
  'the example of docs/replay.md runs unchanged: a poller steps the job, and all arrive',
  { timeout: PATIENCE_MS },
  async () => {
    const stdout = await runDocsExample('replay', { 'app.db': temporaryFile() })
    expect(stdout).toBe('planned 3\ncompleted sent 3\nall have arrived\n')
  },
)
