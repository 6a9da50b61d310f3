import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'
import { everyProjectRan } from './scripts/every-project-ran.ts'

// Tests run from source: a workspace import resolves to `src`, in vitest's own resolver, in what it leaves to Node,
// and in the processes that a test starts.
const source = '@keepsend/source'
const inWorkerd = [source, 'workerd', 'worker', 'module', 'browser', 'development|production']

const folders = globSync('{packages,apps}/*/package.json').map(dirname).sort()

function testsOf(folder: string): string[] {
  return globSync('{src,test}/**/*.test.ts', { cwd: folder })
}

// What has tests on Postgres finds a server running: see test/postgres/setup.ts.
const postgresSetup = fileURLToPath(new URL('test/postgres/setup.ts', import.meta.url))
const onPostgres = new Set(['outbox', 'adapter-node', 'demo'])

const inPackage = (folder: string) => ({
  ssr: { resolve: { conditions: [source, 'node', 'development|production'], externalConditions: [source, 'node'] } },
  test: {
    name: basename(folder),
    root: folder,
    include: ['{src,test}/**/*.test.ts'],
    exclude: ['test/workerd/**', ...(onPostgres.has(basename(folder)) ? [] : ['test/*-postgres.test.ts'])],
    env: { NODE_OPTIONS: `--conditions=${source}` },
    // Nothing is promised in seconds: what hangs fails, and a busy machine does not.
    testTimeout: 30_000,
    globalSetup: onPostgres.has(basename(folder)) ? [postgresSetup] : [],
  },
})

// The engine's tests that open a database through the rig, once more on Postgres. The others need SQLite itself.
const engine = inPackage('packages/engine')
const onlySqlite = 'commit-kill,every-option,express,own-transaction,readme,scans,document-bounds,document-problems'
const engineOnPostgres = {
  ...engine,
  test: {
    ...engine.test,
    name: 'engine on Postgres',
    include: testsOf('packages/engine').filter((file) =>
      /from '[./]*(test\/)?(rig|database|routes|idempotency-rig|oauth2-rig|limits|pages|plans)\.ts'/.test(
        readFileSync(`packages/engine/${file}`, 'utf8'),
      ),
    ),
    exclude: ['test/workerd/**', `test/{${onlySqlite}}.test.ts`, 'src/lib/api/{document,media-type}.test.ts'],
    env: { ...engine.test.env, KEEPSEND_TEST_ON: 'postgres' },
    globalSetup: [postgresSetup],
  },
}

export default defineConfig({
  test: {
    reporters: ['default', everyProjectRan()],
    projects: [
      ...folders.filter((folder) => testsOf(folder).some((file) => !file.startsWith('test/workerd/'))).map(inPackage),
      engineOnPostgres,
      // The same sources inside workerd, by a wrangler.jsonc: the app's own, or the one beside the tests.
      ...folders
        .filter((folder) => testsOf(folder).some((file) => file.startsWith('test/workerd/')))
        .map((folder) => {
          const configPath =
            ['wrangler.jsonc', 'test/workerd/wrangler.jsonc'].find((file) => existsSync(`${folder}/${file}`)) ?? ''
          return {
            plugins: [cloudflareTest({ wrangler: { configPath } })],
            resolve: { conditions: inWorkerd },
            ssr: { resolve: { conditions: inWorkerd } },
            test: {
              name: `${basename(folder)} in workerd`,
              root: folder,
              include: ['test/workerd/**/*.test.ts'],
              // Runs on Node: what the tests talk to over HTTP.
              globalSetup: globSync('test/workerd/*receiver.ts', { cwd: folder }),
            },
          }
        }),
      {
        test: {
          name: 'tooling',
          include: ['test/*.test.ts'],
          env: { NODE_OPTIONS: '' },
        },
      },
    ],
  },
})
