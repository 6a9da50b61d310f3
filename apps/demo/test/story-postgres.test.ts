import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { expect, inject, it, onTestFinished, vi } from 'vitest'

const story = fileURLToPath(new URL('../src/story-postgres.ts', import.meta.url))
const args = ['--conditions=@keepsend/source', story, '--short']

// Real processes, a real kill and a real restart of a server of its own, even with DATABASE_URL set. The bound is for a busy
// machine; the story takes some fifteen seconds, and a minute in which it waits.
it(
  'the short story on Postgres kills one of three processes, restarts the server, and loses none',
  { timeout: 610_000 },
  async () => {
    const env = { ...process.env, DATABASE_URL: '' }
    // Rejects unless it exits with 0.
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 600_000, env })
    const [, held] = /SIGKILL to one of 3 processes, with (\d+) deliveries in flight/.exec(stdout) ?? []
    const [, atOutage] = /Now Postgres is restarted, with (\d+) deliveries in flight/.exec(stdout) ?? []
    for (const open of [held, atOutage]) expect(Number(open)).toBeGreaterThanOrEqual(12)
    // Each of the three was refused repeatedly, and its back-off grew.
    const [, refusals, longest] = /said, (\d+) times: database error; .* in 100 to (\d+) ms/.exec(stdout) ?? []
    expect(Number(refusals)).toBeGreaterThanOrEqual(12)
    expect(Number(longest)).toBeGreaterThanOrEqual(800)
    const [, committed, delivered, verified] =
      /0 were committed twice\.\nkills 1, outages 1, committed (\d+), delivered (\d+), verified (\d+), duplicated \d+, unverified 0, lost 0;/.exec(
        stdout,
      ) ?? []
    expect(Number(committed)).toBeGreaterThanOrEqual(648)
    expect([delivered, verified]).toEqual([committed, committed])
    expect(stdout).toContain(
      'filtered missed 7 of 12 events; the replay planned 7 and sent 7: 7 arrived once, 0 otherwise',
    )
  },
)

/** Starts the story, and waits until it runs. */
async function begin(env: Record<string, string>) {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'ignore'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const gone = once(child, 'exit')
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  const urls = await vi.waitFor(
    () => {
      const [, apps = '', receiver] = /listens on (.*) \(Postgres .* the receiver on (\S+)\.\n/.exec(said) ?? []
      expect(apps.split(', ')).toHaveLength(3)
      return [...apps.split(', ').map((app) => `${app}/webhooks/health`), `${receiver}/health`]
    },
    { timeout: 180_000 },
  )
  for (const url of urls) expect((await fetch(url)).status).toBe(200)
  return { child, gone, urls }
}

async function expectAllGone(urls: readonly string[]): Promise<void> {
  for (const url of urls)
    await vi.waitFor(() => expect(fetch(url)).rejects.toThrow('fetch failed'), { timeout: 120_000 })
}

it('a killed story ends the processes of the app, the receiver and its server too', { timeout: 300_000 }, async () => {
  // Removes the folder that a killed process cannot remove. The server may run as another user, who must be able to read it.
  const folder = mkdtempSync(join(tmpdir(), 'keepsend-demo-killed-'))
  chmodSync(folder, 0o755)
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  const { child, urls } = await begin({ DATABASE_URL: '', TMPDIR: folder })
  const [file = ''] = globSync(join(folder, 'keepsend-postgres-*/data/postmaster.pid'))
  const server = Number(readFileSync(file, 'utf8').split('\n')[0])
  expect(process.kill(server, 0)).toBe(true)

  child.kill('SIGKILL')
  await expectAllGone(urls)
  await vi.waitFor(() => expect(() => process.kill(server, 0)).toThrow('ESRCH'), { timeout: 120_000 })
  await vi.waitFor(() => expect(globSync(join(folder, 'keepsend-postgres-*'))).toEqual([]), { timeout: 120_000 })
})

it(
  'a story on a given server leaves no process and nothing on the server after a signal',
  { timeout: 300_000 },
  async () => {
    const postgresUrl = inject('postgresUrl')
    const { child, gone, urls } = await begin({ DATABASE_URL: postgresUrl })
    const mine = `keepsend\\_demo\\_${child.pid}\\_%`
    const schemas = async (): Promise<number> => {
      const client = new pg.Client(postgresUrl)
      await client.connect()
      const { rowCount } = await client.query('select from pg_namespace where nspname like $1', [mine])
      await client.end()
      return rowCount ?? 0
    }
    expect(await schemas()).toBe(1)

    child.kill('SIGTERM')
    expect(await gone).toEqual([1, null])
    await expectAllGone(urls)
    expect(await schemas()).toBe(0)
  },
)
