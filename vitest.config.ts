import { existsSync, readdirSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { everyProjectRan } from './scripts/every-project-ran.ts'

// Tests run from source: a workspace import resolves to `src`, in vitest's own resolver, in what it leaves to Node,
// and in the processes that a test starts.
const source = '@keepsend/source'

const folders = ['packages', 'apps'].flatMap((parent) =>
  readdirSync(parent)
    .map((name) => `${parent}/${name}`)
    .filter((folder) => existsSync(`${folder}/package.json`)),
)

export default defineConfig({
  test: {
    reporters: ['default', everyProjectRan()],
    projects: [
      ...folders.map((folder) => ({
        ssr: {
          resolve: { conditions: [source, 'node', 'development|production'], externalConditions: [source, 'node'] },
        },
        test: {
          name: folder.slice(folder.indexOf('/') + 1),
          root: folder,
          include: ['{src,test}/**/*.test.ts'],
          env: { NODE_OPTIONS: `--conditions=${source}` },
        },
      })),
      { test: { name: 'tooling', include: ['test/**/*.test.ts'], env: { NODE_OPTIONS: '' } } },
    ],
  },
})
