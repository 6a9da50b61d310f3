import { defineConfig } from 'vitest/config'
import { everyProjectRan } from '../../scripts/every-project-ran.ts'

const source = '@keepsend/source'

// `pnpm test:browser`: the pages in a real Chromium, from source. It takes minutes and needs a browser, and so is no part of
// `pnpm test`.
export default defineConfig({
  ssr: { resolve: { conditions: [source, 'node', 'development|production'], externalConditions: [source, 'node'] } },
  test: {
    name: 'browser',
    root: import.meta.dirname,
    reporters: ['default', everyProjectRan()],
    globalSetup: ['../postgres/setup.ts'],
    include: ['**/*.test.ts'],
    env: { NODE_OPTIONS: `--conditions=${source}` },
    // Nothing is promised in seconds: what hangs fails, and a busy machine does not.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Each worker has a browser of several processes.
    maxWorkers: 2,
  },
})
