import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// Suites of the repository in another runtime than Node: started by runtimes.ts.
const source = '@keepsend/source'
export default defineConfig({
  ssr: { resolve: { conditions: [source, 'node', 'development|production'], externalConditions: [source, 'node'] } },
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: ['packages/*/{src,test}/**/*.test.ts'],
    globalSetup: [fileURLToPath(new URL('../postgres/setup.ts', import.meta.url))],
    setupFiles: [fileURLToPath(new URL('runtime-setup.ts', import.meta.url))],
    testTimeout: 30_000,
  },
})
