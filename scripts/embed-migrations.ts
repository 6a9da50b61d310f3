// Writes each package's hand-written .sql into a TypeScript module, because a Worker has no files to read.
// `node scripts/embed-migrations.ts` after a change of a .sql; a test of each package fails when that was forgotten.
import { globSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'

export interface EmbeddedMigrations {
  /** Where the module stands, from the repository's root. */
  module: string
  text: string
}

const root = new URL('../', import.meta.url)

/** The module that a package's migrations of one dialect make. */
export function embeddedMigrations(packageName: string, dialect: string): EmbeddedMigrations {
  const folder = new URL(`packages/${packageName}/migrations/${dialect}/`, root)
  const files = readdirSync(folder)
    .filter((file) => /^\d{4}_.*\.sql$/.test(file))
    .sort()
  const entries = files.map((file) => {
    const sql = readFileSync(new URL(file, folder), 'utf8')
    if (/[`\\]|\$\{/.test(sql)) throw new Error(`${packageName}/${dialect}/${file} holds a backtick, backslash or \${`)
    return `  {\n    name: '${packageName}/${file.slice(0, -4)}',\n    sql: \`${sql}\`,\n  },\n`
  })
  const from = packageName === 'outbox' ? '../migrate.ts' : '@keepsend/outbox'
  return {
    module: `packages/${packageName}/src/lib/${dialect}/migrations.ts`,
    text: `// Written by scripts/embed-migrations.ts from migrations/${dialect}/*.sql; change those.
import type { Migration } from '${from}'

export const migrations: readonly Migration[] = [
${entries.join('')}]
`,
  }
}

if (import.meta.main) {
  for (const folder of globSync('packages/*/migrations/*', { cwd: root })) {
    const [, packageName = '', , dialect = ''] = folder.split('/')
    const { module, text } = embeddedMigrations(packageName, dialect)
    writeFileSync(new URL(module, root), text)
  }
}
