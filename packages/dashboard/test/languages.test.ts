// The texts of each language say the same as the English ones, in their own words and in as much room.
import { globSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { en } from '../src/lib/language/en.ts'
import { LANGUAGES, chooseLanguage } from '../src/lib/language/languages.ts'
import { type Message, partsOf } from '../src/lib/language/message.ts'
import { catalog, filledEngine, followLinks } from './follow-links.ts'
import { MOUNT, openDashboard } from './open-dashboard.ts'
import { PORTAL, openPortal } from './open-portal.ts'
import { visibleTexts } from './visible-texts.ts'

const ENGLISH: Readonly<Record<string, Message>> = en
const OTHERS = Object.entries(LANGUAGES).filter(([language]) => language !== 'en')

/** Words of the field that other languages use as well, words that happen to be the same, and texts that are values alone. */
const SAME = new Set([
  'ms',
  's',
  'min',
  'h',
  'd',
  '2xx',
  '3xx',
  '4xx',
  '5xx',
  'TLS',
  '{phase} {span}',
  '{what}, {url}',
  'Webhooks',
  'Endpoint',
  'Endpoints',
  'Payload',
  'Workspace',
  'Workspaces',
  'Replays',
  'Trace',
  'Body',
  'body',
  'Poller',
  'Cron',
  'Worker',
  'Workers',
  'Test',
  'Status',
  'Name',
  'Problem',
  'Filter',
  'Version',
  'Id',
  'Minute',
  'Replay',
  'optional',
  'in {span}',
  '{n} byte',
  '{n} bytes',
])

/** Columns, states and buttons. */
const SHORT = [
  'nav.',
  'state.',
  'endpoint.enabled',
  'endpoint.disabled',
  'endpoint.paused',
  'endpoint.failing',
  'column.',
  'http.',
  'filter.a',
  'pager.n',
  'pager.o',
  'copy.',
  'problem.',
  'replay.running',
  'replay.paused',
  'keys.rotate',
  'delivery.re',
  'delivery.send',
  'delivery.give',
  'form.save',
  'form.cancel',
  'test.send',
  'links.create',
  'portal.column',
  'portal.field',
  'portal.send',
  'portal.enable_and',
  'portal.rotate',
  'endpoint.pause',
]
/** A short word cannot be said in 60 % more of itself. */
const ROOM = 8

/** Words that are English and nothing else. */
const TELLTALES =
  /\b(the|this|these|of|and|with|from|your|you|its|are|were|delivered|delivery|deliveries|failed|held|pending|enabled|disabled|paused|waiting|ago|attempts?|event|events|retry|settings|search)\b/i

describe.each(OTHERS)('%s', (language, messages) => {
  const texts = Object.entries<Message>(messages)

  it('has every text, and no other', () => {
    expect(Object.keys(messages).toSorted()).toEqual(Object.keys(en).toSorted())
  })

  it('has the values of the English text in each form', () => {
    // A form for one may leave the number out: "a delivery".
    const wrong = texts.flatMap(([key, message]) => {
      const wanted = valuesOf(formsOf(ENGLISH[key]).at(-1))
      return formsOf(message)
        .filter((form, at, all) => {
          const found = valuesOf(form)
          const needed = at === all.length - 1 ? wanted : wanted.filter((name) => name !== 'n')
          return needed.some((name) => !found.includes(name)) || found.some((name) => !wanted.includes(name))
        })
        .map((form) => [key, form])
    })
    expect(wrong).toEqual([])
  })

  it('has a form for each kind of number up to a million', () => {
    const rules = new Intl.PluralRules(language)
    const needed = new Set([0, 1, 2, 3, 5, 11, 21, 100, 999_999].map((n) => rules.select(n)))
    const wrong = texts
      .filter(([key, message]) => {
        if (typeof message === 'string') return typeof ENGLISH[key] !== 'string'
        return [...needed].some((category) => message[category] === undefined)
      })
      .map(([key]) => key)
    expect(wrong).toEqual([])
  })

  it('says nothing in English', () => {
    const same = texts
      .filter(([key, message]) => formsOf(message).some((form) => formsOf(ENGLISH[key]).includes(form)))
      .filter(([, message]) => formsOf(message).some((form) => !SAME.has(form)))
    expect(same).toEqual([])
  })

  it('says columns, states and buttons in at most 60 % more characters', () => {
    const long = texts
      .filter(([key]) => SHORT.some((prefix) => key.startsWith(prefix)))
      .map(([key, message]) => ({ key, text: longestOf(message), english: longestOf(ENGLISH[key]) }))
      .filter(({ text, english }) => text.length > Math.max(english.length * 1.6, english.length + ROOM))
    expect(long).toEqual([])
  })

  it.each([
    ['history and a catalog', () => filledEngine({ history: { search: ['data.id'] }, catalog })],
    ['neither', () => filledEngine({})],
  ])('is the language of every page, with %s', async (_, open) => {
    const engine = await open()
    const accept = { headers: { 'accept-language': language } }
    const { request } = await openDashboard(undefined, engine)
    const portal = await openPortal({ engine, workspaceName: () => 'Lumen' })
    for (const [mount, visit] of [
      [MOUNT, request],
      [PORTAL, portal.request],
    ] as const) {
      const pages = await followLinks(async (path) => {
        const response = await visit(path, accept)
        return { status: response.status, html: await response.text() }
      }, mount)
      const english = [...pages].flatMap(([path, { html }]) =>
        visibleTexts(html)
          .filter((text) => TELLTALES.test(text) && !isData(text))
          .map((text) => `${path}: ${text}`),
      )
      expect(english).toEqual([])
      expect(pages.size).toBeGreaterThan(mount === MOUNT ? 40 : 8)
      for (const { html } of pages.values()) expect(html).toContain(`<html lang="${language}"`)
    }
  })
})

it('a page says each text', () => {
  const folder = new URL('../src/lib/', import.meta.url).pathname
  const files = globSync('**/*.{ts,tsx}', { cwd: folder }).filter((file) => !file.startsWith('language/'))
  const source = files.map((file) => readFileSync(folder + file, 'utf8')).join('\n')
  // A key stands there as it is, or is put together from its beginning and a name: `state.${phase}`.
  const built = [...source.matchAll(/`([a-z_]+\.[^`\s]*\$\{[^`\s]*)`/g)].map(
    ([, key = '']) => new RegExp(`^${key.replaceAll('.', '\\.').replaceAll(/\$\{[^}]*\}/g, '.+')}$`),
  )
  const unsaid = Object.keys(en).filter((key) => !source.includes(`'${key}'`) && !built.some((one) => one.test(key)))
  expect(unsaid).toEqual([])
})

it.each([
  [undefined, 'de-AT,de;q=0.9,en;q=0.8', 'de'],
  [undefined, 'fr,es;q=0.5,en;q=0.4', 'es'],
  [undefined, 'en;q=0.2,es-MX;q=0.3', 'es'],
  [undefined, 'fr', 'en'],
  [undefined, 'de;q=0', 'en'],
  [undefined, undefined, 'en'],
  ['es', 'de', 'es'],
  ['fr', 'de', 'de'],
])('a cookie %j and the header %j choose %s', (cookie, accepted, language) => {
  expect(chooseLanguage(Object.keys(LANGUAGES), cookie, accepted)).toBe(language)
})

it.each([
  ['pt-BR', ['pt-BR', 'pt'], 'pt-BR'],
  ['pt-br,pt;q=0.9', ['pt', 'pt-BR'], 'pt-BR'],
  ['pt-PT', ['pt-BR', 'pt'], 'pt'],
  ['pt-PT', ['pt-BR'], 'pt-BR'],
  ['pt', ['pt-BR'], 'pt-BR'],
  ['ptx', ['pt-BR'], 'en'],
  ['zh-Hant-TW', ['zh-Hans', 'zh-Hant'], 'zh-Hant'],
])('a reader who accepts %s sees of en and %j: %s', (accepted, own, language) => {
  expect(chooseLanguage(['en', ...own], undefined, accepted)).toBe(language)
})

function formsOf(message: Message | undefined): string[] {
  return message === undefined ? [] : typeof message === 'string' ? [message] : Object.values(message)
}

function longestOf(message: Message | undefined): string {
  return formsOf(message).reduce((long, form) => (form.length > long.length ? form : long), '')
}

function valuesOf(text = ''): string[] {
  const names = partsOf(text).flatMap((part) => (typeof part === 'string' ? [] : part.name))
  return [...new Set(names)].toSorted()
}

/** Texts of the story of the test, which pages show as they are. */
function isData(text: string): boolean {
  return text === 'A message was posted.' || text.includes('message.posted') || text === 'English'
}
