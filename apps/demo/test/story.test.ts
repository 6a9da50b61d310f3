import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const story = fileURLToPath(new URL('../src/story.ts', import.meta.url))

// Real processes and a real kill. The bound is for a busy machine; the story takes some eight seconds, and a minute in which it waits.
it('the short story kills the app with deliveries in flight and loses none', { timeout: 610_000 }, async () => {
  const args = ['--conditions=@keepsend/source', story, '--short']
  // Rejects unless it exits with 0.
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 600_000 })
  const held = /SIGKILL, with (\d+) deliveries in flight/.exec(stdout)
  expect(Number(held?.[1])).toBeGreaterThanOrEqual(8)
  expect(stdout).toMatch(
    /0 were committed twice\.\nkills 1, committed 648, delivered 648, verified 648, duplicated \d+, unverified 0, lost 0;/,
  )
  expect(stdout).toContain(
    'filtered missed 7 of 12 events; the replay planned 7 and sent 7: 7 arrived once, 0 otherwise',
  )
})
