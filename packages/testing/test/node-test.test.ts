import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

it('the kit runs under node:test, which shows the differences of a failed assertion', () => {
  const suite = fileURLToPath(new URL('node-suite-process.ts', import.meta.url))
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const { status, stdout } = spawnSync(process.execPath, ['--test', '--test-reporter=tap', suite], {
    encoding: 'utf8',
    env,
  })
  expect(stdout).toContain('ok 1 - passes')
  expect(stdout).toContain('not ok 2 - fails')
  expect(stdout).toContain("+ text: 'hi'")
  expect(status).toBe(1)
}, 60_000)
