import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'

it(
  'an export of 100,000 deliveries with 100 MB of payloads runs in a heap of 40 MB',
  { timeout: 300_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keepsend-export-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const program = join(import.meta.dirname, 'export-process.ts')
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--max-old-space-size=40', '--conditions=@keepsend/source', program, join(folder, 'app.db')],
      { timeout: 290_000 },
    )
    const { characters, end } = JSON.parse(stdout) as { characters: number; end: unknown }
    expect(characters).toBeGreaterThan(100_000_000)
    expect(end).toMatchObject({ kind: 'end', counts: { delivery: 100_000, event: 0 } })
  },
)
