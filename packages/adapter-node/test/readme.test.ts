import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { PATIENCE_MS, temporaryFile } from './rig.ts'

it(
  "the README's example runs as it stands: its event is kept, delivered, verified, and the process ends by itself",
  { timeout: PATIENCE_MS },
  async () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
    const example = /```ts\n(\/\/ example\.ts\n[^]*?)```/.exec(readme)?.[1] ?? ''
    const file = temporaryFile()
    // From inside the package, whose name then resolves to itself; only the file goes elsewhere.
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
