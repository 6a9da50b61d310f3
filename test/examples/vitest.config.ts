import { defineConfig } from 'vitest/config'

const folder = (path: string) => new URL(`../../${path}`, import.meta.url).pathname
const source = '@keepsend/source'

// `pnpm test:examples`: what takes minutes and hundreds of megabytes from npm, and the stories that `pnpm demo` tells, each of
// which starts and kills servers, and samples in languages that npm does not bring. So it is no part of `pnpm test`.
export default defineConfig({
  test: {
    // The stories beside the examples, which wait for the registry.
    maxWorkers: 2,
    projects: [
      {
        test: { name: 'examples', root: folder(''), include: ['test/examples/*.test.ts'], env: { NODE_OPTIONS: '' } },
      },
      {
        ssr: {
          resolve: { conditions: [source, 'node', 'development|production'], externalConditions: [source, 'node'] },
        },
        test: {
          name: 'stories',
          root: folder('apps/demo'),
          include: ['test/story*.test.ts'],
          env: { NODE_OPTIONS: `--conditions=${source}` },
          globalSetup: [folder('test/postgres/setup.ts')],
        },
      },
      {
        ssr: {
          resolve: { conditions: [source, 'node', 'development|production'], externalConditions: [source, 'node'] },
        },
        test: {
          name: 'samples',
          root: folder('packages/dashboard'),
          include: ['test/*.examples.ts'],
          env: { NODE_OPTIONS: `--conditions=${source}` },
        },
      },
    ],
  },
})
