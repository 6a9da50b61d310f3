import { spawnSync } from 'node:child_process'
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { given, givenTables, givenWorkers } from './documented-given.ts'

export interface Block {
  /** `docs/hosts.md:110` */
  place: string
  code: string
  runtime: 'node' | 'workers'
}

/** Every block of TypeScript of the repository's pages, changesets included. */
export function documentedBlocks(): Block[] {
  const pages = globSync('{*,docs/**/*,.changeset/*,{packages,apps,examples}/*/*,{proof,bench}/*}.md')
  return pages.flatMap((page) => blocksOf(page, readFileSync(page, 'utf8')))
}

/** Indented as in a list, of any fence, and whatever is said behind the language. */
export function blocksOf(page: string, text: string): Block[] {
  const fenced = /^( *)(`{3,}|~{3,}) *(?:[cm]?tsx?|typescript)\b.*\n([^]*?)^ *\2 *$/gim
  return [...text.matchAll(fenced)].map(({ 1: indent = '', 3: code = '', index }) => ({
    place: `${page}:${text.slice(0, index).split('\n').length}`,
    code: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    runtime: /adapter-cloudflare|CloudflareEventQueue|createWorker|\bc\.env\./.test(code) ? 'workers' : 'node',
  }))
}

/**
 * What the compiler says of the blocks, each line with its place. Where a block leaves out its imports or names things
 * of the reader's, it finds them among the globals of documented-given.ts.
 */
export function compile(blocks: readonly Block[]): string[] {
  mkdirSync('apps/demo/.demo', { recursive: true })
  // In the folder of the app that has all packages and their peers, so that imports resolve as they do there.
  const root = mkdtempSync(resolve('apps/demo/.demo/documented-'))
  try {
    return (['node', 'workers'] as const).flatMap((runtime) => {
      const ofRuntime = blocks.filter((block) => block.runtime === runtime)
      const folder = join(root, runtime)
      mkdirSync(folder)
      writeProgram(folder, runtime, ofRuntime)
      const { stdout } = spawnSync(resolve('node_modules/.bin/tsc'), ['-p', folder, '--pretty', 'false'], {
        encoding: 'utf8',
      })
      return (
        stdout
          .split('\n')
          // The packages' own sources are compiled by their own projects.
          .filter((line) => /block-\d+\.ts/.test(line))
          .map((line) => line.replace(/^.*block-(\d+)\.ts/, (_, index) => ofRuntime[Number(index)]?.place ?? ''))
      )
    })
  } finally {
    rmSync(root, { recursive: true })
  }
}

/** Such a block is compiled with that test. */
export function isPartOfATest(code: string): boolean {
  return globSync('packages/*/test/*.ts').some((file) => readFileSync(file, 'utf8').includes(code))
}

function writeProgram(folder: string, runtime: Block['runtime'], blocks: readonly Block[]): void {
  const names = runtime === 'node' ? given : givenWorkers
  const write = (file: string, text: string): void => writeFileSync(join(folder, file), text)
  write('given.ts', names)
  write('globals.d.ts', asGlobals(names))
  // What the README imports from files of the reader's.
  write('tables.ts', givenTables)
  write('app.ts', `export declare function createApp(engine: import('@keepsend/engine').Engine): import('hono').Hono\n`)
  for (const [index, { code }] of blocks.entries()) write(`block-${index}.ts`, `${code}\nexport {}\n`)
  const compilerOptions = {
    noEmit: true,
    noUnusedLocals: false,
    noUnusedParameters: false,
    // The sources of the pages.
    jsx: 'react-jsx',
    jsxImportSource: 'hono/jsx',
    types: runtime === 'node' ? ['node'] : ['@cloudflare/workers-types'],
    lib: runtime === 'node' ? ['es2024', 'webworker', 'esnext.disposable'] : ['es2024'],
    // The engine's tests have it, the demo does not.
    paths: { express: [resolve('packages/engine/node_modules/@types/express/index.d.ts')] },
  }
  write('tsconfig.json', JSON.stringify({ extends: resolve('tsconfig.base.json'), compilerOptions }))
}

/** A block's own imports and declarations come before a global of the same name. */
function asGlobals(module: string): string {
  const values = [...module.matchAll(/^export (?:declare )?(?:const|function) (\w+)/gm)].map(([, name = '']) => name)
  const passedOn = [...module.matchAll(/^export \{([^}]+)\}/gm)].flatMap(([, list = '']) => list.match(/\w+/g) ?? [])
  const types = [...module.matchAll(/^export interface (\w+)/gm)].map(([, name = '']) => name)
  return [
    ...[...values, ...passedOn].map((name) => `declare const ${name}: typeof import('./given.ts').${name}`),
    ...types.map((name) => `type ${name} = import('./given.ts').${name}`),
  ].join('\n')
}
