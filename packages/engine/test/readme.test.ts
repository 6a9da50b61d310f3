import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { EngineError, type EngineErrorCode } from '../src/index.ts'
import { rig } from './rig.ts'
import { documentOf, routesOf } from './routes.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

describe('the README', () => {
  it('has an example that runs as it stands: one commit, one replay, one delivery that waits', async () => {
    const example = /```ts\n(\/\/ example\.ts\n[^]*?)```/.exec(readme)?.[1] ?? ''
    const options = ['--conditions=@keepsend/source', '--input-type=module-typescript', '--eval', example]
    // From inside the package, whose name then resolves to itself.
    const { stdout } = await promisify(execFile)(process.execPath, options, {
      cwd: new URL('..', import.meta.url),
      env: { ...process.env, KEEPSEND_SECRET_KEY: `k1:${randomBytes(32).toString('base64')}` },
    })
    const body = '{"id":"m1","text":"hello"}'
    expect(stdout).toBe(`201 committed ${body}\n201 true ${body}\nwaiting to be delivered: 1\n`)
  }, 30_000)

  it('names every route with its scope', async () => {
    for (const { method, path, scope } of routesOf(await documentOf(await rig()))) {
      const short = `…/${path.split('/').at(-1)}`
      const row = readme
        .split('\n')
        .find(
          (line) =>
            line.startsWith('| `') && [`\`${method} ${path}\``, `\`${short}\``].some((name) => line.includes(name)),
        )
      expect(row, `${method} ${path}`).toContain(scope === undefined ? '| none' : `\`${scope}\``)
    }
  })

  it.each([
    'invalid_request',
    'unauthenticated',
    'forbidden',
    'not_found',
    'not_retained',
    'idempotency_in_flight',
    'conflict',
    'payload_too_large',
    'invalid_event',
    'invalid_endpoint',
    'idempotency_mismatch',
    'secret_unreadable',
    'invalid_option',
    'outcome_unknown',
    'not_accepted',
  ] satisfies EngineErrorCode[])('names the error %s with its status', (code) => {
    const row = readme
      .split('\n')
      .find((line) => line.startsWith('| `') && line.includes(`\`${code}\``) && /\| \d{3}/.test(line))
    expect(row).toContain(String(new EngineError(code, '').status))
  })
})
