// An export of a real server: the example of the docs runs.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { PATIENCE_MS, temporaryFile } from './rig.ts'

const page = readFileSync(new URL('../../../docs/export.md', import.meta.url), 'utf8')

it('the example of docs/export.md runs unchanged, and its export is whole', { timeout: PATIENCE_MS }, async () => {
  const example = /```ts\n(\/\/ export\.ts\n[^]*?)```/.exec(page)?.[1] ?? ''
  const args = [
    '--conditions=@keepsend/source',
    '--input-type=module-typescript',
    '--eval',
    example
      .replace("'app.db'", JSON.stringify(temporaryFile()))
      .replaceAll("'w1.ndjson'", JSON.stringify(`${temporaryFile()}.ndjson`)),
  ]
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: new URL('..', import.meta.url),
    env: { ...process.env, KEEPSEND_SECRET_KEY: 'k1:a2VlcHNlbmQgdGVzdCBrZXksIDMyIGJ5dGVzIGxvbmc=' },
  })
  expect(stdout.replaceAll(/\s/g, '')).toBe(
    '{workspace:0,endpoint:1,api_key:0,delivery:1,event:1,attempt:0,problem:0,replay:0,audit:2}',
  )
})
