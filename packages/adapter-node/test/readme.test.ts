import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { expect, it, onTestFinished } from 'vitest'
import { OPTION_NAMES } from './option-names.ts'
import { PATIENCE_MS, temporaryFile, until } from './rig.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

it.each(Object.entries(OPTION_NAMES))('the README names every option of %s', (_owner, options) => {
  const firstCells = readme.split('\n').map((line) => /^\| [^|]+\|/.exec(line)?.[0] ?? '')
  const isNamed = (name: string): boolean => firstCells.some((cell) => cell.includes(`\`${name}\``))
  expect(Object.keys(options).filter((name) => !isNamed(name))).toEqual([])
})

it(
  "the README's example runs unchanged: its event is stored, delivered, verified, and the process ends by itself",
  { timeout: PATIENCE_MS },
  async () => {
    const example = /```ts\n(\/\/ example\.ts\n[^]*?)```/.exec(readme)?.[1] ?? ''
    const file = temporaryFile()
    // Runs inside the package, so that its name resolves to itself; only the file is elsewhere.
    const args = [
      '--conditions=@keepsend/source',
      '--input-type=module-typescript',
      '--eval',
      example.replace("'app.db'", JSON.stringify(file)),
    ]
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      cwd: new URL('..', import.meta.url),
      env: { ...process.env, KEEPSEND_SECRET_KEY: 'k1:a2VlcHNlbmQgdGVzdCBrZXksIDMyIGJ5dGVzIGxvbmc=' },
    })
    expect(stdout).toMatch(
      /^verified \{\n? *type: 'message\.created',\s+timestamp: '[^']+',\s+data: \{ text: 'hello' \}\s+\}\n/,
    )
    const connection = new Database(file)
    expect(connection.prepare('select outcome, number from keepsend_attempts').all()).toEqual([
      { outcome: 'delivered', number: 1 },
    ])
    connection.close()
  },
)

it('the server of docs/hosts.md prints an API key only at its first start', { timeout: PATIENCE_MS }, async () => {
  const page = readFileSync(new URL('../../../docs/hosts.md', import.meta.url), 'utf8')
  const section = page.slice(page.indexOf('## Without an app'))
  const example = /```ts\n([^]*?)```/.exec(section)?.[1] ?? ''
  const own = example
    .replace("'webhooks.db'", JSON.stringify(temporaryFile()))
    .replace('port: 3000', 'port: 0')
    .concat('await server.stop()')
  const start = async () => {
    const args = ['--conditions=@keepsend/source', '--input-type=module-typescript', '--eval', own]
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      cwd: new URL('..', import.meta.url),
      env: { ...process.env, KEEPSEND_SECRET_KEY: 'k1:a2VlcHNlbmQgdGVzdCBrZXksIDMyIGJ5dGVzIGxvbmc=' },
    })
    return stdout.match(/ks_[\w-]+/g)?.length ?? 0
  }
  expect([await start(), await start()]).toEqual([1, 0])
})

/** Ports that nothing listens on, all different. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

it(
  'the quick start of the main README runs as it stands: its receiver verifies, and SIGINT ends it with 0',
  { timeout: PATIENCE_MS },
  async () => {
    const mainReadme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
    const quickstart = /```ts\n(\/\/ quickstart\.mjs\n[^]*?)```/.exec(mainReadme)?.[1] ?? ''
    const [appPort, receiverPort] = await freePorts(2)
    const program = quickstart
      .replace("file: ':memory:',", `$& port: ${appPort},`)
      .replaceAll(/(?<=:|port: )4000\b/g, String(receiverPort))
    expect(program).not.toMatch(/\b4000\b/)
    expect(program).toContain(`port: ${appPort}`)

    // Plain JavaScript, as `node quickstart.mjs` takes it.
    const child = spawn(process.execPath, ['--conditions=@keepsend/source', '--input-type=module', '--eval', program], {
      cwd: new URL('..', import.meta.url),
      env: { ...process.env, KEEPSEND_SECRET_KEY: 'k1:a2VlcHNlbmQgdGVzdCBrZXksIDMyIGJ5dGVzIGxvbmc=' },
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const exited = once(child, 'exit')
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (some: string) => (stdout += some))
    child.stderr.setEncoding('utf8').on('data', (some: string) => (stderr += some))
    await until(() => child.exitCode !== null || /^verified \{[^]*?^\}/m.test(stdout))
    expect(stdout, stderr).toMatch(/^committed 201 \{ id: '[\w-]+', text: 'hello' \}$/m)
    expect(stdout).toMatch(
      /^verified \{\n {2}type: 'message\.created',\n {2}timestamp: '[^']+',\n {2}data: \{ id: '[\w-]+', text: 'hello' \}\n\}$/m,
    )
    // Nothing of Keepsend's own is on stdout, and there is one warning.
    expect(stdout).not.toContain('keepsend')
    expect(stderr.match(/ keepsend warn: .*/g)).toEqual([expect.stringContaining('development: true')])

    child.kill('SIGINT')
    expect(await exited).toEqual([0, null])
  },
)
