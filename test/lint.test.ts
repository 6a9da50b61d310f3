import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cases } from './lint-cases.ts'

// The examples are written to a folder outside the repository, under the paths that the rules speak of, so that the
// ordinary lint never sees them; the configuration is the repository's own.
let folder: string
let refusals: Map<string, Set<string>>

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'keepsend-lint-'))
  copyFileSync('.oxlintrc.json', join(folder, '.oxlintrc.json'))
  copyFileSync('tsconfig.base.json', join(folder, 'tsconfig.base.json'))
  write('tsconfig.json', '{ "extends": "./tsconfig.base.json", "include": ["**/*.ts"] }')
  for (const [index, { files, good }] of cases.entries()) {
    for (const [path, text] of Object.entries(files)) write(place(index, 'bad', path), text)
    for (const [path, text] of Object.entries(good)) write(place(index, 'good', path), text)
  }
  refusals = lint()
}, 60_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

for (const [index, { rule, promise, files, good }] of cases.entries()) {
  test(`${promise} (${rule})`, () => {
    for (const path of Object.keys(files)) {
      expect(refusals.get(place(index, 'bad', path)) ?? new Set(), `${rule} on the bad ${path}`).toContain(rule)
    }
    for (const path of Object.keys(good)) {
      expect([...(refusals.get(place(index, 'good', path)) ?? [])], `refusals of the good ${path}`).toEqual([])
    }
  })
}

/** `packages/engine/src/lib/a.ts` becomes `packages/engine/src/lib/3-bad/a.ts`: the same to every rule's `files`. */
function place(index: number, kind: string, path: string): string {
  return join(dirname(path), `${index}-${kind}`, path.slice(path.lastIndexOf('/') + 1))
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}

/** The rules that refused each file: one run for all of them, because starting the type checker is what costs. */
function lint(): Map<string, Set<string>> {
  let output: string
  try {
    output = execFileSync(join(process.cwd(), 'node_modules/.bin/oxlint'), ['-f', 'json', '.'], {
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: 16 * 1024 * 1024,
    })
  } catch (error) {
    // It exits with 1 when it refuses something, which here it always does.
    output = String((error as { stdout?: unknown }).stdout)
  }
  const found = new Map<string, Set<string>>()
  const { diagnostics } = JSON.parse(output) as { diagnostics: { code: string; filename: string }[] }
  for (const { code, filename } of diagnostics) {
    const rules = found.get(filename) ?? new Set()
    rules.add(code.replace(/^(.*)\((.*)\)$/, (_, plugin, name) => (plugin === 'eslint' ? name : `${plugin}/${name}`)))
    found.set(filename, rules)
  }
  return found
}
