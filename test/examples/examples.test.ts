// The packed tarballs where people run them: Bun, Deno, Vite, Next.js, and the compilers that packaging.test.ts leaves out.
import { rmSync } from 'node:fs'
import { beforeAll } from 'vitest'
import { type Consumer, installTarballs } from '../consumer.ts'
import { FEW_PROGRAMS, OTHER_CASES, compilerPromises } from '../consumer-types.ts'
import { nextPromises } from './next.ts'
import { runtimePromises } from './runtimes.ts'
import { vitePromises } from './vite.ts'

// As versions were when this was last looked at.
const INSTALLED = {
  bun: '1.4.5',
  deno: '2.9.6',
  vite: '8.4.0',
  next: '16.4.6',
  react: '^19.0.0',
  'react-dom': '^19.0.0',
  '@types/react': '^19.0.0',
}

let consumer: Consumer

beforeAll(() => {
  consumer = installTarballs(INSTALLED)
  return () => rmSync(consumer.root, { recursive: true, force: true })
}, 600_000)

runtimePromises(() => consumer)
vitePromises(() => consumer)
nextPromises(() => consumer)
compilerPromises(() => consumer, OTHER_CASES, FEW_PROGRAMS)
