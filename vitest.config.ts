import { existsSync, globSync } from 'node:fs'
import { basename, dirname } from 'node:path'
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

export default defineConfig({
  test: {
    reporters: ['default', everyProjectRan()],
    projects: [
      ...folders
        .filter((folder) => testsOf(folder).some((file) => !file.startsWith('test/workerd/')))
        .map((folder) => ({
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
      { test: { name: 'tooling', include: ['test/**/*.test.ts'], env: { NODE_OPTIONS: '' } } },
    ],
  },
})
