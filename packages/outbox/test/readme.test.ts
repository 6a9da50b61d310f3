import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { outboxStats } from '../src/index.ts'
import { fromBetterSqlite } from '../src/sqlite.ts'
import { temporaryFolder } from './open.ts'

it("the README's example runs unchanged: it sends one event, loses none and leaves none", async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const example = /```ts\n(\/\/ example\.ts\n[^`]*)```/.exec(readme)?.[1] ?? ''
  const folder = temporaryFolder()
  const file = folder.file('app.db')
  // From inside the package, whose name then resolves to itself; only the file's location differs.
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--conditions=@keepsend/source',
      '--input-type=module-typescript',
      '--eval',
      example.replace("'app.db'", JSON.stringify(file)),
    ],
    { cwd: new URL('..', import.meta.url) },
  )
  const lines = stdout.trim().split('\n')
  expect(lines).toHaveLength(2)
  expect(lines[0]).toMatch(/^sending evt_\S+ \{"id":"evt_\S+"\} attempt 1$/)
  expect(lines[1]).toBe('lost 0 left 0')
  const connection = new Database(file)
  expect(connection.prepare('select count(*) from orders').pluck().get()).toBe(1)
  expect(await outboxStats(fromBetterSqlite(connection))).toMatchObject({ due: 0, inFlight: 0, failed: 0 })
  connection.close()
  folder.remove()
}, 60_000)
