import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const path = (file: string) => fileURLToPath(new URL(`../${file}`, import.meta.url))

it('the outbox contract holds by node:sqlite on the first Node that has it, 22.13', { timeout: 180_000 }, () => {
  const node = path('node-22/node_modules/node/bin/node')
  expect(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout).toMatch(/^v22\.13\./)
  const vitest = [path('../node_modules/vitest/vitest.mjs'), 'run', '--config', path('node-22/vitest.config.ts')]
  const { status, stdout, stderr } = spawnSync(node, vitest, {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  })
  expect(status, stdout + stderr).toBe(0)
  // Not by finding no tests.
  expect(Number(/Tests +(\d+) passed/.exec(stdout)?.[1] ?? 0)).toBeGreaterThan(200)
})
