import { existsSync, globSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'
import { everyProjectRan } from './scripts/every-project-ran.ts'

// Tests run from source: a workspace import resolves to `src`, in vitest's own resolver, in what it leaves to Node,
// and in the processes that a test starts.
const source = '@keepsend/source'

const folders = globSync('{packages,apps}/*/package.json').map(dirname).sort()

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
          exclude: ['test/workerd/**'],
          env: { NODE_OPTIONS: `--conditions=${source}` },
        },
      })),
      // The same sources inside workerd, with a D1 database and two queues of their own for each test file.
      ...folders
        .filter((folder) => existsSync(`${folder}/test/workerd`))
        .map((folder) => ({
          plugins: [
            cloudflareTest({
              miniflare: {
                compatibilityDate: '2026-10-01',
                d1Databases: ['DB'],
              },
            }),
          ],
          resolve: { conditions: [source, 'workerd', 'worker', 'module', 'browser', 'development|production'] },
          ssr: { resolve: { conditions: [source, 'workerd', 'worker', 'module', 'browser', 'development|production'] } },
          test: { name: `${basename(folder)} in workerd`, root: folder, include: ['test/workerd/**/*.test.ts'] },
        })),
      { test: { name: 'tooling', include: ['test/**/*.test.ts'], env: { NODE_OPTIONS: '' } } },
    ],
  },
})
