import { defineConfig } from 'vitest/config'
import { everyProjectRan } from '../../scripts/every-project-ran.ts'

// `pnpm test:release`: the packed tarballs as npm delivers them, on the oldest Node and by other people's compilers. It takes
// a minute or two and needs the registry, and so is no part of `pnpm test`.
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    reporters: ['default', everyProjectRan()],
    include: ['test/release/*.test.ts'],
    maxWorkers: 2,
    testTimeout: 30_000,
    env: { NODE_OPTIONS: '' },
  },
})
