import { defineConfig } from 'vitest/config'

// `pnpm test:examples`: what takes minutes and hundreds of megabytes from npm, and so is no part of `pnpm test`.
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/examples/*.test.ts'],
    env: { NODE_OPTIONS: '' },
  },
})
