// Where the installed packages run, and how it is said where they do not. Registered by packaging.test.ts, whose consumer
// they share.
import { cpSync, mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'
import { describe, expect, test } from 'vitest'
import { type Consumer, publishedFolders, readManifest, run } from './consumer.ts'
import { entries } from './public-names.ts'

const OLD_NODE = resolve('test/node-20/node_modules/node/bin/node')
const NODE_22 = resolve('test/node-22/node_modules/node/bin/node')
const PATIENCE_MS = 120_000

/** Copies a program of test/consumer into the consumer, and says where it is. */
export function program(consumer: Consumer, name: string): string {
  const path = join(consumer.root, name)
  cpSync(join('test/consumer', name), path)
  return path
}

let files = 0
export const freshFile = (consumer: Consumer): string => join(consumer.root, `runs-${++files}.db`)

export function nodePromises(consumer: () => Consumer): void {
  describe('an older Node', () => {
    const specifiers = publishedFolders
      .flatMap((folder) => entries(readManifest(folder)))
      .map(({ specifier }) => specifier)
      .filter((specifier) => !/testing|\/tables?$|cloudflare/.test(specifier))

    test.each(specifiers)('is refused in one line by the import of %s', (specifier) => {
      const { code, output } = run(OLD_NODE, ['--input-type=module', '-e', `import '${specifier}'`], consumer().root)
      const [first, place, ...rest] = output.split('\n').filter((line) => line !== '')
      expect(first).toBe('OutboxError: Keepsend needs Node 22.12 or later; found 20.11.1')
      expect(place).toMatch(/^ +at \S+\/outbox\/dist\/lib\/errors\.js:\d+:\d+$/)
      expect({ code, rest }).toEqual({ code: 1, rest: ['Node.js v20.11.1'] })
    })

    test('is refused by a code that a host can catch', () => {
      const script = `await import('@keepsend/adapter-node').catch((error) => console.log(error.name, error.code))`
      const { output } = run(OLD_NODE, ['--input-type=module', '-e', script], consumer().root)
      expect(output).toBe('OutboxError unsupported_runtime\n')
    })

    test('is told that better-sqlite3 would crash it, and runs by node:sqlite', () => {
      const app = program(consumer(), 'app.mjs')
      const refused = run(NODE_22, [app, freshFile(consumer()), 'better-sqlite3'], consumer().root)
      expect(refused.output).toMatch(
        /^unsupported_runtime better-sqlite3 13\S* needs Node 22\.14 or later, and would crash v22\.13\.\d+: .*\n$/,
      )
      expect(refused.code).toBe(1)
      expect(run(NODE_22, [app, freshFile(consumer()), 'node:sqlite'], consumer().root).output).toMatch(/delivered\n/)
    })
  })
}

const FORMATS = {
  cjs: { extension: 'cjs' },
  // undici is CommonJS and requires Node's own modules, which esbuild leaves to a `require` that a module does not have.
  esm: {
    extension: 'mjs',
    banner: `import { createRequire as from } from 'node:module'; const require = from(import.meta.url)`,
  },
} as const

export function bundlePromises(consumer: () => Consumer): void {
  describe.each(Object.keys(FORMATS) as (keyof typeof FORMATS)[])('an app in one file of esbuild, %s', (format) => {
    test(
      'opens SQLite, migrates, publishes and delivers, also away from the sources',
      { timeout: PATIENCE_MS },
      async () => {
        const { root } = consumer()
        const folder = join(root, `deployed-${format}`)
        mkdirSync(folder)
        const { extension, ...how } = { banner: '', ...FORMATS[format] }
        const outfile = join(folder, `app.${extension}`)
        const { warnings } = await build({
          entryPoints: [program(consumer(), 'app.mjs')],
          bundle: true,
          platform: 'node',
          format,
          outfile,
          external: ['better-sqlite3'],
          banner: { js: how.banner },
          logLevel: 'silent',
          // The tests' own condition leads to sources, which a consumer does not have.
          conditions: [],
        })
        expect(warnings.filter(({ id }) => id !== 'empty-import-meta')).toEqual([])
        expect(readFileSync(outfile, 'utf8')).not.toMatch(/from ["']@keepsend/)
        for (const driver of ['better-sqlite3', 'node:sqlite']) {
          const { code, output } = run(process.execPath, [outfile, freshFile(consumer()), driver], folder)
          expect({ code, output }, driver).toEqual({ code: 0, output: 'delivered\n' })
        }
        const { output } = run(NODE_22, [outfile, freshFile(consumer()), 'node:sqlite'], folder)
        expect(output).toMatch(/delivered\n/)
      },
    )
  })
}

export function copyPromises(consumer: () => Consumer): void {
  test('what one copy of the packages makes is taken by another', { timeout: PATIENCE_MS }, () => {
    const { root } = consumer()
    cpSync(join(root, 'node_modules/@keepsend'), join(root, 'copy/node_modules/@keepsend'), { recursive: true })
    const { code, output } = run(process.execPath, [program(consumer(), 'two-copies.mjs')], root)
    expect({ code, output }).toEqual({ code: 0, output: 'all given over\n' })
  })
}
