import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const story = fileURLToPath(new URL('../src/story-cloudflare.ts', import.meta.url))

// Real processes and a real kill. The bound is for a machine that does much else: the story takes half a minute, or one
// and a half when the kill met a delivery that waited for its retry.
it(
  'the story in workerd, shortened, is killed with messages in its queue and loses none',
  { timeout: 240_000 },
  async () => {
    const args = ['--conditions=@keepsend/source', story, '--short']
    // Rejects when it exits with anything but 0.
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 230_000 })
    const [, held, waiting] = /SIGKILL, with (\d+) deliveries in flight to everything, (\d+) waiting/.exec(stdout) ?? []
    expect(Number(held)).toBeGreaterThanOrEqual(1)
    expect(Number(waiting)).toBeGreaterThan(Number(held))
    expect(stdout).toMatch(/The cron sent new messages for \d+ deliveries/)
    expect(stdout).toMatch(
      /0 were committed twice\.\nkills 1, committed 648, delivered 648, verified 648, duplicated \d+, unverified 0, lost 0;/,
    )
    // Whatever was tried twice on a slow machine: each delivery is inserted once, and deleted once.
    expect(stdout).toMatch(/ {2}\d\.\d\d \(insert 1\.00, .*delete 1\.00\), when a delivered row is deleted/)
  },
)
