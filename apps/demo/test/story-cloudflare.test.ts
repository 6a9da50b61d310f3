import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it, onTestFinished, vi } from 'vitest'

const story = fileURLToPath(new URL('../src/story-cloudflare.ts', import.meta.url))

// Real processes and a real kill. The bound is for a busy machine: the story takes less than a minute, or two when the kill met a
// delivery that waited for its retry.
it('the short story in workerd is killed with messages in its queue and loses none', { timeout: 610_000 }, async () => {
  const args = ['--conditions=@keepsend/source', story, '--short']
  // Rejects unless it exits with 0.
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 600_000 })
  const [, held, waiting] = /SIGKILL, with (\d+) deliveries in flight to everything, (\d+) waiting/.exec(stdout) ?? []
  expect(Number(held)).toBeGreaterThanOrEqual(1)
  expect(Number(waiting)).toBeGreaterThan(Number(held))
  expect(stdout).toMatch(/The cron sent new messages for \d+ deliveries/)
  expect(stdout).toMatch(
    /0 were committed twice\.\nkills 1, committed 648, delivered 648, verified 648, duplicated \d+, unverified 0, lost 0;/,
  )
  // Even if a slow machine tries some twice, each delivery is inserted once and deleted once.
  expect(stdout).toMatch(/ {2}\d\.\d\d \(insert 1\.00, .*delete 1\.00\), when failed attempts are recorded/)
  expect(stdout).toMatch(
    / {2}\d\.\d\d \(insert 1\.00, .*delete 1\.00, attempt 2\.\d\d\), when every attempt is recorded/,
  )
})

it('a killed story ends the dev server and the receiver too', { timeout: 300_000 }, async () => {
  const args = ['--conditions=@keepsend/source', story, '--short']
  // Removes the folder that a killed process cannot remove.
  const folder = mkdtempSync(join(tmpdir(), 'keepsend-demo-killed-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  const env = { ...process.env, TMPDIR: folder }
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  const urls = await vi.waitFor(
    () => {
      const [, app, receiver] = /listens on (\S+) .* the receiver on (\S+)\.\n/.exec(said) ?? []
      expect([app, receiver]).toEqual([expect.any(String), expect.any(String)])
      return [`${app}/webhooks/health`, `${receiver}/health`]
    },
    { timeout: 180_000 },
  )
  for (const url of urls) expect((await fetch(url)).status).toBe(200)

  child.kill('SIGKILL')
  for (const url of urls)
    await vi.waitFor(() => expect(fetch(url)).rejects.toThrow('fetch failed'), { timeout: 120_000 })
})
