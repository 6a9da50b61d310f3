// Replay jobs with a poller: they flow by themselves, and the example of the docs runs.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { PATIENCE_MS, temporaryFile } from './rig.ts'

const page = readFileSync(new URL('../../../docs/replay.md', import.meta.url), 'utf8')

it(
  'the example of docs/replay.md runs unchanged: a poller steps the job, and all arrive',
  { timeout: PATIENCE_MS },
  async () => {
    const example = /```ts\n(\/\/ replay\.ts\n[^]*?)```/.exec(page)?.[1] ?? ''
    const args = [
      '--conditions=@keepsend/source',
      '--input-type=module-typescript',
      '--eval',
      example.replace("'app.db'", JSON.stringify(temporaryFile())),
    ]
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      cwd: new URL('..', import.meta.url),
      env: { ...process.env, KEEPSEND_SECRET_KEY: 'k1:a2VlcHNlbmQgdGVzdCBrZXksIDMyIGJ5dGVzIGxvbmc=' },
    })
    expect(stdout).toBe('planned 3\ncompleted sent 3\nall have arrived\n')
  },
)
