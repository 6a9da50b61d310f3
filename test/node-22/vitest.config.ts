import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// What runs on the oldest Node that has `node:sqlite`: started by ../release/node-22.test.ts.
const source = '@keepsend/source'
export default defineConfig({
  ssr: { resolve: { conditions: [source, 'node', 'development|production'], externalConditions: [source, 'node'] } },
  test: {
    root: fileURLToPath(new URL('../../packages/outbox', import.meta.url)),
    include: ['test/node-sqlite.test.ts'],
    env: { NODE_OPTIONS: `--conditions=${source}` },
    testTimeout: 30_000,
  },
})
