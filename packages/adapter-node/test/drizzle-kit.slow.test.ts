import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { migrate, openSqlite } from '../src/index.ts'

const PACKAGE = join(import.meta.dirname, '..')
const DRIZZLE_KIT = join(dirname(createRequire(import.meta.url).resolve('drizzle-kit')), 'bin.cjs')

const folders: string[] = []
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true })))

/** The files in docs/hosts.md under "Beside drizzle-kit", by the path in their first line. */
function documentedFiles(): Map<string, string> {
  const section =
    readFileSync(join(PACKAGE, '../../docs/hosts.md'), 'utf8').split('## Beside drizzle-kit')[1]?.split('\n## ')[0] ??
    ''
  const blocks = [...section.matchAll(/^```[jt]s\n\/\/ ([\w./-]+)[^\n]*\n([^]*?)^```$/gm)]
  return new Map(blocks.map(([, path = '', code = '']) => [path, code]))
}

/** The schema of a database of ours after `drizzle-kit push --force` with these files. */
async function namesAfterPush(files: ReadonlyMap<string, string>): Promise<string[]> {
  // Inside the package, so that drizzle-kit resolves the packages that the files import.
  const folder = mkdtempSync(join(PACKAGE, 'node_modules/.drizzle-kit-'))
  folders.push(folder)
  for (const [path, code] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), code)
  }
  const db = openSqlite(join(folder, 'app.db'))
  await migrate(db)
  db.close()
  execFileSync(process.execPath, [DRIZZLE_KIT, 'push', '--force'], { cwd: folder, stdio: 'pipe' })
  const after = openSqlite(join(folder, 'app.db'))
  const { rows } = await after.run<{ name: string }>({
    sql: "select name from sqlite_schema where name not like 'sqlite_%'",
    params: [],
  })
  after.close()
  return rows.map(({ name }) => name)
}

const OWN = `
import { sqliteTable, text } from 'drizzle-orm/sqlite-core'
export const orders = sqliteTable('orders', { id: text('id').primaryKey() })
`

/** The documented files, and the path of the database. */
function hosts(): Map<string, string> {
  const files = documentedFiles()
  const where = "  dialect: 'sqlite',\n  dbCredentials: { url: './app.db' },\n"
  return new Map([
    ['drizzle.config.js', files.get('drizzle.config.js')?.replace("  dialect: 'sqlite',\n", where) ?? ''],
    ['src/tables.ts', files.get('src/tables.ts') ?? ''],
  ])
}

it('drizzle-kit push with the files of docs/hosts.md retains the tables, indexes and view of Keepsend', async () => {
  const files = hosts()
  files.set('src/tables.ts', `${files.get('src/tables.ts')}${OWN}`)
  const names = await namesAfterPush(files)
  expect(names).toEqual(expect.arrayContaining(['orders', 'pending_events', 'pending_events_ready', 'keepsend_clock']))
  expect(names.filter((name) => name.startsWith('keepsend_')).length).toBeGreaterThan(8)
}, 60_000)

it('drizzle-kit push drops a table that no filter excludes, as docs/hosts.md warns', async () => {
  const files = hosts()
  files.set('drizzle.config.js', files.get('drizzle.config.js')?.replace(", '!pending_events'", '') ?? '')
  const names = await namesAfterPush(files)
  expect(names).toContain('keepsend_endpoints')
  expect(names).not.toContain('pending_events')
}, 60_000)
