import { globSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { everyProjectRan } from './scripts/every-project-ran.ts'

// Tests run from source: a workspace import resolves to `src`, in vitest's own resolver, in what it leaves to Node,
// and in the processes that a test starts.
const source = '@keepsend/source'

const folders = globSync('{packages,apps}/*/package.json').map(dirname).sort()

// What has tests on Postgres finds a server running: see test/postgres/setup.ts.
const onPostgres = new Set(['outbox'])
const postgresSetup = fileURLToPath(new URL('test/postgres/setup.ts', import.meta.url))

export default defineConfig({
  test: {
    reporters: ['default', everyProjectRan()],
    projects: [
      ...folders.map((folder) => ({
        ssr: {
          resolve: { conditions: [source, 'node', 'development|production'], externalConditions: [source, 'node'] },
        },
        test: {
          name: basename(folder),
          root: folder,
          include: ['{src,test}/**/*.test.ts'],
          env: { NODE_OPTIONS: `--conditions=${source}` },
          globalSetup: onPostgres.has(basename(folder)) ? [postgresSetup] : [],
        },
      })),
      { test: { name: 'tooling', include: ['test/**/*.test.ts'], env: { NODE_OPTIONS: '' } } },
    ],
  },
})
