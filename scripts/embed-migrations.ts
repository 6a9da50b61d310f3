// Writes each package's hand-written .sql into a TypeScript module, because a Worker has no files to read, and into the
// Cloudflare adapter's folder, from which `wrangler d1 migrations apply` takes them.
// `node scripts/embed-migrations.ts` after a change of a .sql; test/repository.test.ts fails when that was forgotten.
import { globSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'

export interface EmbeddedMigrations {
  /** Where the module stands, from the repository's root. */
  module: string
  text: string
}

const root = new URL('../', import.meta.url)

/** Where wrangler finds Keepsend's migrations, from the repository's root. */
export const WRANGLER_FOLDER = 'packages/adapter-cloudflare/migrations/'

// Wrangler remembers a migration by its file name, and the name holds the place in this list: add at the end alone.
const WRANGLER_ORDER = [
  'outbox/0001_pending_events',
  'engine/0001_endpoints',
  'engine/0002_idempotency',
  'engine/0003_history',
  'engine/0005_problems',
  'engine/0006_statistics',
  'engine/0007_events',
  'engine/0008_notifications',
  'engine/0009_workers',
  'engine/0010_workspaces',
  'engine/0011_event_search',
  'engine/0012_audit',
  'engine/0013_replays',
  'engine/0014_erasure',
  'engine/0015_versions',
  'engine/0016_portal_links',
]

// D1 bills each index of a new row.
const NOT_ON_D1 = ['engine/0004_history_lists']

/** The module that a package's migrations of one dialect make. */
export function embeddedMigrations(packageName: string, dialect: string): EmbeddedMigrations {
  const entries = numbered(packageName, dialect).map(({ file, sql }) => {
    if (/[`\\]|\$\{/.test(sql)) throw new Error(`${packageName}/${dialect}/${file} holds a backtick, backslash or \${`)
    return `  {\n    name: '${packageName}/${file.slice(0, -4)}',\n    sql: \`${sql}\`,\n  },\n`
  })
  const from = packageName === 'outbox' ? '../migrate.ts' : '@keepsend/outbox/internal'
  return {
    module: `packages/${packageName}/src/lib/${dialect}/migrations.ts`,
    text: `// Written by scripts/embed-migrations.ts from migrations/${dialect}/*.sql, as long as they are; change those.
import type { Migration } from '${from}'

export const migrations: readonly Migration[] = [
${entries.join('')}]
`,
  }
}

/** The files of the Cloudflare adapter's folder: each a copy of a package's .sql, under a name that sorts for all. */
export function wranglerMigrations(): { file: string; text: string }[] {
  const sources = ['outbox', 'engine'].flatMap((packageName) =>
    numbered(packageName, 'sqlite').map(({ file, sql }) => ({ name: `${packageName}/${file.slice(0, -4)}`, sql })),
  )
  const unplaced = sources
    .map(({ name }) => name)
    .filter((name) => !WRANGLER_ORDER.includes(name) && !NOT_ON_D1.includes(name))
  if (unplaced.length > 0) throw new Error(`WRANGLER_ORDER lacks ${unplaced.join(', ')}`)
  return WRANGLER_ORDER.map((name, at) => {
    const source = sources.find((one) => one.name === name)
    if (!source) throw new Error(`WRANGLER_ORDER names ${name}, which is not there`)
    const number = String(at + 1).padStart(4, '0')
    return { file: `${number}_keepsend_${name.slice(name.indexOf('_') + 1)}.sql`, text: source.sql }
  })
}

/** A package's migrations of one dialect, in order; a file without a number is optional, and nobody's by default. */
function numbered(packageName: string, dialect: string): { file: string; sql: string }[] {
  const folder = new URL(`packages/${packageName}/migrations/${dialect}/`, root)
  return readdirSync(folder)
    .filter((file) => /^\d{4}_.*\.sql$/.test(file))
    .sort()
    .map((file) => ({ file, sql: readFileSync(new URL(file, folder), 'utf8') }))
}

if (import.meta.main) {
  for (const folder of globSync('packages/{outbox,engine}/migrations/*', { cwd: root })) {
    const [, packageName = '', , dialect = ''] = folder.split('/')
    const { module, text } = embeddedMigrations(packageName, dialect)
    writeFileSync(new URL(module, root), text)
  }
  const folder = new URL(WRANGLER_FOLDER, root)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  for (const { file, text } of wranglerMigrations()) writeFileSync(new URL(file, folder), text)
}
