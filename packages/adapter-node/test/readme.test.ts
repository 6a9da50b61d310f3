import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { OPTION_NAMES } from './option-names.ts'
import { PATIENCE_MS, temporaryFile } from './rig.ts'

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
    expect(connection.prepare('select status, attempts from pending_events').all()).toEqual([
      { status: 'completed', attempts: 1 },
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
