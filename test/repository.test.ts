// Promises about the files themselves, which no compiler and no linter keeps.
import { existsSync, globSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { VERSION } from '../packages/engine/src/lib/version.ts'
import { ASSETS_MODULE, embeddedAssets } from '../scripts/embed-assets.ts'
import { WRANGLER_FOLDER, embeddedMigrations, wranglerMigrations } from '../scripts/embed-migrations.ts'

const MOST_LINES = 250
const TRAPS = 36

const ours = (pattern: string) =>
  globSync(pattern, { exclude: ['**/node_modules/**', '**/dist/**', '**/CHANGELOG.md'] })
const sources = ours('{packages,apps}/*/src/**/*.{ts,tsx}').filter((file) => !file.endsWith('.test.ts'))
const pages = ours('{*,.changeset/*,docs/**/*,packages/**/*,apps/**/*,bench/**/*,proof/**/*}.md')

test('no source file is longer than 250 lines, unless its first comment says why', () => {
  expect(sources.length).toBeGreaterThan(0)
  const tooLong = sources.filter((file) => {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    return lines.length > MOST_LINES && !givesReason(lines)
  })
  expect(tooLong).toEqual([])
})

test('the version in the source of the engine is that of its package', () => {
  const { version } = JSON.parse(readFileSync('packages/engine/package.json', 'utf8')) as { version: string }
  expect(VERSION).toBe(version)
})

test('nothing is left for later in what users run', () => {
  const unfinished = sources.filter((file) => /\b(TODO|FIXME|XXX)\b/.test(readFileSync(file, 'utf8')))
  expect(unfinished).toEqual([])
})

test('no source of a package talks the compiler out of a type: no `as unknown as`, no `as never`', () => {
  const casts = sources
    .filter((file) => file.startsWith('packages/'))
    .flatMap((file) => linesWith(file, /\bas\s+(unknown\s+as|never)\b/g))
  expect(casts).toEqual([])
})

test('every statement that inserts into, updates or deletes from `pending_events` stands in the outbox', () => {
  const changes =
    /\b(insert\s+into|update|delete\s+from)\s+(only\s+)?"?pending_events\b|\.(insert|update|delete)\(pendingEvents\b/gi
  const searched = sources.filter((file) => !/(^|\/)(migrations\.ts$|lib\/contract\/)/.test(file))
  const inOutbox = searched.filter((file) => file.startsWith('packages/outbox/src/lib/'))
  expect(inOutbox.flatMap((file) => linesWith(file, changes))).not.toEqual([])
  const elsewhere = searched.filter((file) => !inOutbox.includes(file))
  expect(elsewhere.length).toBeGreaterThan(100)
  expect(elsewhere.flatMap((file) => linesWith(file, changes))).toEqual([])
})

test('no file that is tracked holds the marks of a merge that was not finished', () => {
  const files = ours('{packages,apps,examples,bench,proof,scripts,test,docs,.changeset}/**/*.{ts,md,sql,json,jsonc}')
  const marks = /^(<{7} \S|={7}$|>{7} \S|> > > > > > > \S)/m
  expect(files.length).toBeGreaterThan(500)
  expect([...files, ...pages].filter((file) => marks.test(readFileSync(file, 'utf8')))).toEqual([])
})

test('every relative link of every page leads to a file, and to a heading that is there', () => {
  expect(pages).toContain('CONTRIBUTING.md')
  const broken = pages.flatMap((page) =>
    relativeLinks(readFileSync(page, 'utf8'))
      .filter((link) => !resolves(page, link))
      .map((link) => `${page}: ${link}`),
  )
  expect(broken).toEqual([])
})

test('every table of migrations in TypeScript holds what its .sql files hold', () => {
  for (const folder of globSync('packages/{outbox,engine}/migrations/*')) {
    const [, packageName = '', , dialect = ''] = folder.split('/')
    const { module, text } = embeddedMigrations(packageName, dialect)
    expect(readFileSync(module, 'utf8'), `${module}: run npx -y pnpm@12 migrations`).toBe(text)
  }
})

test('the embedded assets of the dashboard hold what its files hold', async () => {
  expect(readFileSync(ASSETS_MODULE, 'utf8'), `run node scripts/embed-assets.ts`).toBe(await embeddedAssets())
})

test('what wrangler is given to apply holds what the .sql files hold, and sorts in an order that works', () => {
  const there = readdirSync(WRANGLER_FOLDER).sort()
  expect(there, 'run npx -y pnpm@12 migrations').toEqual(wranglerMigrations().map(({ file }) => file))
  expect(there[0]).toBe('0001_keepsend_pending_events.sql')
  for (const { file, text } of wranglerMigrations()) {
    expect(readFileSync(WRANGLER_FOLDER + file, 'utf8'), `${file}: run npx -y pnpm@12 migrations`).toBe(text)
  }
})

test('every trap of docs/traps.md stands in the titles of the tests that it names, and those name no other', () => {
  const rows = [...readFileSync('docs/traps.md', 'utf8').matchAll(/^\| (\d+) +\|.*\|(.*)\|$/gm)]
  const named = rows.flatMap(([, trap = '', tests = '']) =>
    [...tests.matchAll(/`([^`]+)`/g)].map(([, file = '']) => `${trap} ${file}`),
  )
  const held = ours('packages/*/{src,test}/**/*.ts').flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/\(traps? ([\d, and]+)\)[^\n]*['"`],?/g)].flatMap(([, traps = '']) =>
      [...traps.matchAll(/\d+/g)].map(([trap]) => `${trap} ${file}`),
    ),
  )
  expect(named.toSorted()).toEqual([...new Set(held)].toSorted())
  const numbers = new Set(rows.map(([, trap]) => Number(trap)))
  const all = Array.from({ length: TRAPS }, (_, index) => index + 1)
  expect(all.filter((trap) => !numbers.has(trap))).toEqual([])
})

/** The comment that the file opens with, and in it a sentence on its length. */
function givesReason(lines: readonly string[]): boolean {
  const end = lines.findIndex((line) => !/^(\/\/|\/\*| \*)/.test(line))
  return /\b(long|longer|length|lines)\b/i.test(lines.slice(0, end).join(' '))
}

/** `file:line` of each place where the pattern, which is global, begins to match. */
function linesWith(file: string, pattern: RegExp): string[] {
  const text = readFileSync(file, 'utf8')
  return [...text.matchAll(pattern)].map(({ index }) => `${file}:${text.slice(0, index).split('\n').length}`)
}

/** Link targets without those that name another site; code is no link. */
function relativeLinks(markdown: string): string[] {
  const prose = markdown.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, '')
  const inline = [...prose.matchAll(/\]\(([^)\s]+)(?: "[^"]*")?\)/g)]
  const references = [...prose.matchAll(/^\[[^\]]+\]: (\S+)/gm)]
  return [...inline, ...references].flatMap(([, target = '']) => (/^[a-z+]+:/.test(target) ? [] : [target]))
}

function resolves(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? page : join(dirname(page), decodeURIComponent(path))
  if (!existsSync(target)) return false
  return anchor === undefined || !target.endsWith('.md') || headings(target).includes(anchor)
}

/** The anchors that a page's headings make, as GitHub makes them. */
function headings(page: string): string[] {
  const prose = readFileSync(page, 'utf8').replace(/^```.*?^```$/gms, '')
  return [...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/ /g, '-'),
  )
}
