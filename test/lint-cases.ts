export interface LintCase {
  rule: string
  /** What the rule holds, in plain words. */
  promise: string
  /** Path to text: each of these must be refused by the rule. */
  files: Record<string, string>
  /** Path to text: none of these may be refused by any rule. */
  good: Record<string, string>
}

const boundary = 'no-restricted-imports'

/** A bad example and a good one for each rule that .oxlintrc.json names beyond the categories. */
export const cases: readonly LintCase[] = [
  {
    rule: boundary,
    promise: 'the outbox, the engine and what runs on Workers import nothing of Node',
    files: {
      'packages/outbox/src/lib/a.ts': `import { readFile } from 'node:fs/promises'\nexport const read = readFile\n`,
      'packages/outbox/src/lib/dynamic.ts': `export const load = () => import('node:path')\n`,
      'packages/engine/src/lib/a.ts': `import { createHmac } from 'node:crypto'\nexport const hmac = createHmac\n`,
      'packages/engine/src/lib/again.ts': `export { connect } from 'node:net'\n`,
      'packages/adapter-cloudflare/src/lib/a.ts': `import { createHmac } from 'node:crypto'\nexport const hmac = createHmac\n`,
      'packages/engine/src/lib/type.ts': `import type { Buffer } from 'node:buffer'\nexport type Bytes = Buffer\n`,
    },
    good: {
      'packages/adapter-node/src/lib/a.ts': `import { readFile } from 'node:fs/promises'\nexport const read = readFile\n`,
      'packages/outbox/src/lib/a.test.ts': `import { readFile } from 'node:fs/promises'\nexport const read = readFile\n`,
      'packages/engine/test/a.ts': `import { createHmac } from 'node:crypto'\nexport const hmac = createHmac\n`,
    },
  },
  {
    rule: boundary,
    promise: 'the outbox and the engine import nothing of Cloudflare',
    files: {
      'packages/outbox/src/lib/b.ts': `import { env } from 'cloudflare:workers'\nexport const vars = env\n`,
      'packages/engine/src/lib/b.ts': `import { connect } from 'cloudflare:sockets'\nexport const open = connect\n`,
    },
    good: {
      'packages/adapter-cloudflare/src/lib/b.ts': `import { env } from 'cloudflare:workers'\nexport const vars = env\n`,
    },
  },
  {
    rule: boundary,
    promise: 'packages import one another along the arrows only: outbox, engine, adapters, test kit, apps',
    files: {
      'packages/outbox/src/lib/c.ts': `import { createEngine } from '@keepsend/engine'\nexport const make = createEngine\n`,
      'packages/outbox/test/c.ts': `import { openSqlite } from '@keepsend/adapter-node'\nexport const open = openSqlite\n`,
      'packages/engine/src/lib/c.ts': `import type { Poller } from '@keepsend/adapter-node'\nexport type P = Poller\n`,
      'packages/engine/test/c.ts': `import { openSqlite } from '@keepsend/adapter-node'\nexport const open = openSqlite\n`,
      'packages/adapter-node/src/lib/c.ts': `export { fromD1 } from '@keepsend/adapter-cloudflare'\n`,
      'packages/adapter-cloudflare/test/c.ts': `export { openSqlite } from '@keepsend/adapter-node'\n`,
      'packages/adapter-node/test/c.ts': `export { createTestEngine } from '@keepsend/testing'\n`,
      'packages/dashboard/src/lib/c.ts': `export { openSqlite } from '@keepsend/adapter-node'\n`,
      'packages/testing/src/lib/c.ts': `export { fromD1 } from '@keepsend/adapter-cloudflare'\n`,
      'bench/src/c2.ts': `export { createTestEngine } from '@keepsend/testing'\n`,
      'proof/src/c2.ts': `export { assertPublished } from '@keepsend/testing/node'\n`,
    },
    good: {
      'packages/engine/src/lib/c.ts': `import { migrate } from '@keepsend/outbox'\nexport const prepare = migrate\n`,
      'packages/engine/test/c.ts': `import { contract } from '@keepsend/outbox/testing'\nexport const suite = contract\n`,
      'packages/adapter-node/src/lib/c.ts': `export { migrate } from '@keepsend/outbox'\nexport { createEngine } from '@keepsend/engine'\n`,
      'packages/testing/src/lib/c.ts': `export { openSqlite } from '@keepsend/adapter-node'\nexport { rowsAs } from '@keepsend/outbox/internal'\n`,
      'apps/demo/test/c.ts': `export { createTestEngine } from '@keepsend/testing'\nimport '@keepsend/testing/vitest'\n`,
      'apps/demo/src/c.ts': `export { openSqlite } from '@keepsend/adapter-node'\n`,
      'bench/src/c.ts': `export { openSqlite } from '@keepsend/adapter-node'\n`,
      'proof/src/c.ts': `export { openSqlite } from '@keepsend/adapter-node'\n`,
    },
  },
  {
    rule: boundary,
    promise: 'no package reaches into another by a relative path',
    files: {
      'packages/outbox/src/lib/d.ts': `export { sign } from '../../../engine/src/lib/sign.ts'\n`,
      'packages/engine/src/lib/d.ts': `export { migrate } from '../../../outbox/dist/index.js'\n`,
      'packages/engine/test/d.ts': `export { suite } from '../../outbox/test/contract/index.ts'\n`,
      'packages/adapter-node/src/d.ts': `export { migrate } from '../../outbox/src/index.ts'\n`,
      'apps/demo/src/d.ts': `export { migrate } from '../../../packages/outbox/src/index.ts'\n`,
      'bench/src/d.ts': `export { migrate } from '../../packages/outbox/src/index.ts'\n`,
      'proof/src/d.ts': `export { migrate } from '../../packages/outbox/src/index.ts'\n`,
    },
    good: {
      'packages/engine/src/lib/routes/d.ts': `export { sign } from '../sign.ts'\n`,
      'packages/engine/test/d.ts': `export { sign } from '../src/lib/sign.ts'\nexport { start } from './support/start.ts'\n`,
    },
  },
  {
    rule: 'import/no-cycle',
    promise: 'modules do not import one another in a circle',
    files: {
      'packages/engine/src/lib/e.ts': `import { b } from './e2.ts'\nexport const a = () => b\n`,
      'packages/engine/src/lib/e2.ts': `import { a } from './e.ts'\nexport const b = () => a\n`,
    },
    good: {
      'packages/engine/src/lib/e.ts': `import { b } from './e2.ts'\nexport const a = () => b\n`,
      'packages/engine/src/lib/e2.ts': `export const b = 1\n`,
    },
  },
  {
    rule: 'typescript/no-floating-promises',
    promise: 'no promise is left alone',
    files: { 'packages/outbox/src/lib/f.ts': `export function f(work: () => Promise<void>): void {\n  work()\n}\n` },
    good: {
      'packages/outbox/src/lib/f.ts': `export async function f(work: () => Promise<void>): Promise<void> {\n  await work()\n}\n`,
    },
  },
  {
    rule: 'typescript/no-misused-promises',
    promise: 'no promise stands where a truth value or a plain callback is expected',
    files: {
      'packages/outbox/src/lib/g.ts': `export function g(ok: () => Promise<boolean>): number {\n  if (ok()) return 1\n  return 0\n}\n`,
      'apps/demo/src/g.ts': `export function g(on: (f: () => void) => void, send: () => Promise<void>): void {\n  on(async () => {\n    await send()\n  })\n}\n`,
    },
    good: {
      'packages/outbox/src/lib/g.ts': `export async function g(ok: () => Promise<boolean>): Promise<number> {\n  if (await ok()) return 1\n  return 0\n}\n`,
    },
  },
  {
    rule: 'typescript/return-await',
    promise: 'a promise returned inside a try is awaited there, so that its catch sees it fail',
    files: {
      'packages/engine/src/lib/h.ts': `export async function h(work: () => Promise<number>): Promise<number> {\n  try {\n    return work()\n  } catch {\n    return 0\n  }\n}\n`,
    },
    good: {
      'packages/engine/src/lib/h.ts': `export async function h(work: () => Promise<number>): Promise<number> {\n  try {\n    return await work()\n  } catch {\n    return 0\n  }\n}\n`,
    },
  },
  {
    rule: 'typescript/switch-exhaustiveness-check',
    promise: 'a switch over a union has a case for each of its members',
    files: {
      'packages/engine/src/lib/i.ts': `export function i(verdict: 'ok' | 'lost'): void {\n  switch (verdict) {\n    case 'ok':\n      console.log(verdict)\n  }\n}\n`,
    },
    good: {
      'packages/engine/src/lib/i.ts': `export function i(verdict: 'ok' | 'lost'): number {\n  switch (verdict) {\n    case 'ok':\n      return 1\n    case 'lost':\n      return 0\n  }\n}\n`,
    },
  },
  {
    rule: 'typescript/no-explicit-any',
    promise: 'no any',
    files: { 'packages/engine/src/lib/j.ts': `export const j = (value: any): string => String(value)\n` },
    good: { 'packages/engine/src/lib/j.ts': `export const j = (value: number): string => String(value)\n` },
  },
  {
    rule: 'typescript/consistent-type-imports',
    promise: 'what is used as a type alone is imported as a type',
    files: { 'packages/engine/src/lib/k.ts': `import { Event } from './k2.js'\nexport type K = Event\n` },
    good: { 'packages/engine/src/lib/k.ts': `import type { Event } from './k2.js'\nexport type K = Event\n` },
  },
  {
    rule: 'unicorn/prefer-node-protocol',
    promise: "a module of Node's is imported with its node: prefix, which the boundaries above look for",
    files: { 'packages/outbox/src/lib/l.ts': `import { readFile } from 'fs/promises'\nexport const read = readFile\n` },
    good: { 'apps/demo/src/l.ts': `import { readFile } from 'node:fs/promises'\nexport const read = readFile\n` },
  },
  {
    rule: 'vitest/no-focused-tests',
    promise: 'no test is run alone',
    files: {
      'packages/outbox/test/m.test.ts': `import { expect, test } from 'vitest'\ntest.only('m', () => expect(1).toBe(1))\n`,
    },
    good: {
      'packages/outbox/test/m.test.ts': `import { expect, test } from 'vitest'\ntest('m', () => expect(1).toBe(1))\n`,
    },
  },
  {
    rule: 'vitest/no-disabled-tests',
    promise: 'no test is skipped',
    files: {
      'packages/outbox/test/n.test.ts': `import { expect, test } from 'vitest'\ntest.skip('n', () => expect(1).toBe(1))\n`,
    },
    good: {
      'packages/outbox/test/n.test.ts': `import { expect, test } from 'vitest'\ntest('n', () => expect(1).toBe(1))\n`,
    },
  },
]
