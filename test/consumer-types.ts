// What the compilers say of a consumer's programs and of our declarations. Registered by packaging.test.ts, whose consumer
// they share.
import { existsSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Consumer, publishedFolders, readManifest, run } from './consumer.ts'
import { entries } from './public-names.ts'
import { readmeWrangler } from './readme-example.ts'

const STRICT = {
  target: 'es2024',
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  skipLibCheck: false,
  allowImportingTsExtensions: true,
}

const COMPILERS = {
  'TypeScript 7': () => join(process.cwd(), 'node_modules/.bin/tsc'),
  'TypeScript 5.9': (root: string) => join(root, 'node_modules/.bin/tsc'),
}

// As Node resolves, and as bundlers do.
const MODULES = { nodenext: { module: 'nodenext' }, bundler: { module: 'esnext', moduleResolution: 'bundler' } }

interface Case {
  compiler: keyof typeof COMPILERS
  module: keyof typeof MODULES
}

/** Each compiler once, and each way to resolve. */
export const FEW_CASES: readonly Case[] = [
  { compiler: 'TypeScript 7', module: 'nodenext' },
  { compiler: 'TypeScript 5.9', module: 'bundler' },
]

export const OTHER_CASES: readonly Case[] = [
  { compiler: 'TypeScript 7', module: 'bundler' },
  { compiler: 'TypeScript 5.9', module: 'nodenext' },
]

const ALL_DRIVERS = ['better-sqlite3', 'pg', 'postgres'] as const

/** What a program does with its one driver; nothing of `@types/node` is taken for granted on Workers. */
const DRIVERS = {
  'better-sqlite3': `
    import { type SqliteDatabase, openSqlite } from '@keepsend/adapter-node'
    import type { Database } from 'better-sqlite3'
    import { drizzle } from 'drizzle-orm/better-sqlite3'
    const plain: SqliteDatabase = openSqlite(':memory:')
    plain.connection.exec('select 1')
    export const orm = drizzle({ client: openSqlite<Database>(':memory:').connection })
    export const handle = drizzle({ client: plain.connection as Database })`,
  pg: `
    import { type PostgresDatabase, openPostgres } from '@keepsend/adapter-node'
    import { fromPostgres } from '@keepsend/outbox/postgres'
    import { drizzle } from 'drizzle-orm/node-postgres'
    import type { Pool } from 'pg'
    const plain: PostgresDatabase = await openPostgres('postgres://localhost/app')
    await plain.pool.query('select 1')
    export const orm = drizzle({ client: (await openPostgres<Pool>('postgres://localhost/app')).pool })
    export const handle = drizzle({ client: plain.pool as Pool })
    export const own = fromPostgres(plain.pool as Pool)`,
  postgres: `
    import { DurableEventQueue } from '@keepsend/adapter-node'
    import { fromPostgres } from '@keepsend/outbox/postgres'
    import postgres from 'postgres'
    export const queue = new DurableEventQueue({ db: fromPostgres(postgres('postgres://localhost/app')) })`,
} satisfies Record<(typeof ALL_DRIVERS)[number], string>

const PROGRAMS = [
  ...ALL_DRIVERS.map((driver) => ({
    only: driver as string,
    drivers: [driver] as string[],
    folders: publishedFolders,
    program: DRIVERS[driver],
    options: { types: ['node'] },
  })),
  {
    only: "Workers' types",
    drivers: [] as string[],
    folders: publishedFolders.filter((folder) => !/(adapter-node|testing)$/.test(folder)),
    program: '',
    options: { types: ['@cloudflare/workers-types'], lib: ['es2024'] },
  },
]

/** Of the ways to install, the one of Node and the one of Workers. */
export const FEW_PROGRAMS = PROGRAMS.filter(({ drivers }) => drivers.length === 0 || drivers.includes('better-sqlite3'))

export function compilerPromises(consumer: () => Consumer, cases: readonly Case[], ways = PROGRAMS): void {
  describe.each(cases)('$compiler, module $module', ({ compiler, module }) => {
    /**
     * What the compiler says of files of the consumer's and of ours. Library declarations are checked too, so that ours are;
     * the faults of other packages' own declarations, drizzle-orm's for one, are not for us to mend.
     */
    function typeErrors(project: string, options: object, include: string[]): string[] {
      const { root } = consumer()
      const compilerOptions = { ...STRICT, ...MODULES[module], ...options }
      writeFileSync(join(root, project), JSON.stringify({ compilerOptions, include }))
      const { code, output } = run(COMPILERS[compiler](root), ['-p', project], root)
      const errors = output.split('\n').filter((line) => line.includes('error TS'))
      expect(code === 0 || errors.length > 0, output).toBe(true)
      return errors.filter((line) => !line.startsWith('node_modules/') || line.startsWith('node_modules/@keepsend/'))
    }

    test("the READMEs' programs compile", { timeout: 240_000 }, () => {
      const workers = publishedFolders.filter((folder) => readmeWrangler(folder) !== undefined)
      const examples = (folders: readonly string[]) => folders.map((folder) => `${folder}/example.ts`)
      const programs = publishedFolders.filter((folder) => !workers.includes(folder))
      // A program knows Node's globals, a Worker those of workerd.
      expect(typeErrors('tsconfig.node.json', { types: ['node'] }, examples(programs))).toEqual([])
      const ofWorkers = { types: ['@cloudflare/workers-types'], lib: ['es2024'] }
      expect(typeErrors('tsconfig.workers.json', ofWorkers, examples(workers))).toEqual([])
    })

    test.each(ways)('every declaration compiles where only $only is installed', { timeout: 240_000 }, (one) => {
      const { root } = consumer()
      writeFileSync(join(root, 'one-driver.ts'), everyEntry(one.folders) + one.program)
      const hidden = ALL_DRIVERS.filter((driver) => !one.drivers.includes(driver as string))
        .flatMap((name) => [name, `@types/${name}`])
        .concat(one.drivers.length === 0 ? ['@types/node'] : [])
        .map((name) => join(root, 'node_modules', name))
        .filter((path) => existsSync(path))
      for (const path of hidden) renameSync(path, `${path}.hidden`)
      try {
        expect(typeErrors('tsconfig.driver.json', one.options, ['one-driver.ts'])).toEqual([])
      } finally {
        for (const path of hidden) renameSync(`${path}.hidden`, path)
      }
    })
  })

  test('no declaration of ours imports a driver', () => {
    for (const folder of publishedFolders) {
      const dist = join(consumer().root, 'node_modules', readManifest(folder).name, 'dist')
      const declarations = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((one) =>
        one.endsWith('.d.ts'),
      )
      for (const file of declarations) {
        expect(readFileSync(join(dist, file), 'utf8'), `${folder} ${file}`).not.toMatch(
          /^(?! *\*).*(?:from |import\()['"](?:pg|better-sqlite3|postgres)['"]/m,
        )
      }
    }
  })
}

/** Every public entry, imported and used, so that every declaration behind it is checked. */
function everyEntry(folders: readonly string[]): string {
  const specifiers = folders.flatMap((folder) => entries(readManifest(folder))).map((entry) => entry.specifier)
  const namespaces = specifiers.map((specifier, index) => `import * as entry${index} from '${specifier}'\n`)
  return `${namespaces.join('')}export const all = [${specifiers.map((_, index) => `entry${index}`).join(', ')}]\n`
}
