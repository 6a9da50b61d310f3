import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const page = readFileSync(new URL('../../../docs/catalog.md', import.meta.url), 'utf8')

it('the page on the catalog has a program that runs as it stands: an event that fits, one that does not, the types', async () => {
  const program = /```ts\n(\/\/ catalog\.ts\n[^]*?)```/.exec(page)?.[1] ?? ''
  const options = ['--conditions=@keepsend/source', '--input-type=module-typescript', '--eval', program]
  const { stdout } = await promisify(execFile)(process.execPath, options, {
    cwd: new URL('..', import.meta.url),
    env: { ...process.env, KEEPSEND_SECRET_KEY: `k1:${randomBytes(32).toString('base64')}` },
  })
  const [first, second = '', ...types] = stdout.split('\n')
  expect([first, types.join('\n')]).toEqual([
    '201 {"id":"m1"}',
    "[\n  { type: 'message.created', deprecated: false },\n  { type: 'message.deleted', deprecated: true }\n]\n",
  ])
  expect(second).toMatch(/^422 .*data of message\.created does not fit its schema: text: .*"code":"invalid_event"/)
}, 60_000)
