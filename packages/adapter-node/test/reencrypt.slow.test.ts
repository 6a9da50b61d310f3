import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { createEngine, createKeyRing, migrateEngine } from '@keepsend/engine'
import { expect, it } from 'vitest'
import { openSqlite } from '../src/index.ts'
import { PATIENCE_MS, temporaryFile } from './rig.ts'

it(
  'the program of docs/secrets.md re-encrypts a file with a new key, and says when the old one can be removed',
  { timeout: PATIENCE_MS },
  async () => {
    const page = readFileSync(new URL('../../../docs/secrets.md', import.meta.url), 'utf8')
    const program = /```ts\n(\/\/ reencrypt\.ts\n[^]*?)```/.exec(page)?.[1] ?? ''
    const file = temporaryFile()
    const itsOwn = program.replace("process.argv[2] ?? 'app.db'", JSON.stringify(file))
    const [old, fresh] = ['k1', 'k2'].map((id) => `${id}:${randomBytes(32).toString('base64')}`)
    const db = openSqlite(file)
    await migrateEngine(db)
    const engineOf = (keys: string | undefined) =>
      createEngine({ db, queue: { async send() {} }, secrets: createKeyRing(keys) })
    const made: { id: string; workspaceId: string; secret: string }[] = []
    for (let count = 0; count < 120; count++) {
      const { endpoint, secret } = await engineOf(old).endpoints.create(`w${count % 2}`, {
        url: 'https://example.com/',
      })
      made.push({ id: endpoint.id, workspaceId: endpoint.workspaceId, secret })
    }
    const run = async (): Promise<string> => {
      const args = ['--conditions=@keepsend/source', '--input-type=module-typescript', '--eval', itsOwn]
      const options = {
        cwd: new URL('..', import.meta.url),
        env: { ...process.env, KEEPSEND_SECRET_KEY: `${fresh},${old}` },
      }
      return (await promisify(execFile)(process.execPath, args, options)).stdout
    }
    expect(await run()).toBe('{ reencrypted: 120, failed: 0 }\n')
    expect(await run()).toBe('{ reencrypted: 0, failed: 0 }\n')
    const { endpoints } = engineOf(fresh)
    for (const { id, workspaceId, secret } of made)
      expect(await endpoints.secrets(workspaceId, id)).toMatchObject([{ secret }])
    db.close()
  },
)
