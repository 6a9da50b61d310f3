// Hostile texts in every field that a page shows: no script runs, the policy refuses nothing, and nothing makes a page too wide.
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { launchChromium } from './chromium.ts'
import { HOSTILE } from './hostile/strings.ts'
import { HOSTILE_CATALOG, fillWith } from './hostile/world.ts'
import { openFolder, serveFile } from './installation.ts'
import { startReceivers } from './receivers.ts'
import { PATTERNS, walk } from './site.ts'
import { type Visitor, openWindow, sidewaysPixels } from './visitor.ts'

// The server refuses the head of a request from 16 kB on.
const MOST_QUERY = 12_000
const PHONE = { viewport: { width: 360, height: 740 } }

const { folder, remove } = openFolder()
const receivers = await startReceivers()
const installation = await serveFile(join(folder, 'hostile.db'), {
  engine: { catalog: HOSTILE_CATALOG, history: { responses: 'all', bodyBytes: 4096 } },
  dashboard: {
    environment: HOSTILE[0],
    authorize: () => ({ name: HOSTILE[1] ?? '', role: 'act' }),
    links: HOSTILE.map((name) => ({ name: name.toWellFormed(), href: 'https://example.com/' })),
  },
})
const browser = await launchChromium()
const refused = await fillWith(installation.engine, receivers, () => installation.start())
const pages = await walk(installation.url)

afterAll(async () => {
  await browser.close()
  await installation.stop()
  receivers.stop()
  remove()
})

it('the engine takes each text that is well-formed, except in a URL', () => {
  expect(refused.filter(({ field, text }) => text.isWellFormed() && field !== 'URL')).toEqual([])
})

it.each(PATTERNS)('%s shows hostile texts as text', async (pattern) => {
  const window = await openWindow(browser, PHONE)
  const faults: string[] = []
  for (const { path } of pages.filter((page) => page.pattern === pattern))
    faults.push(...(await faultsAt(window, path)))
  expect(faults).toEqual([])
})

it.each(PATTERNS.filter((pattern) => !pattern.includes(':')))(
  '%s takes hostile texts in its query',
  async (pattern) => {
    const window = await openWindow(browser, PHONE)
    const found = pages.flatMap((page) => (page.pattern === pattern ? namesIn(page.path, page.html) : []))
    const names = [...new Set(found)]
    const faults: string[] = []
    for (const text of HOSTILE) {
      const atATime = Math.floor(MOST_QUERY / `${new URLSearchParams({ 'some.long.name': text })}`.length)
      for (let at = 0; at < names.length; at += atATime) {
        const query = new URLSearchParams(names.slice(at, at + atATime).map((name) => [name, text]))
        faults.push(...(await faultsAt(window, `${pattern}?${query}`, isRefusal)))
      }
    }
    expect(faults).toEqual([])
  },
)

it('an address that is none takes hostile texts', async () => {
  const window = await openWindow(browser, PHONE)
  const faults: string[] = []
  for (const text of HOSTILE) {
    const name = encodeURIComponent(text.toWellFormed())
    for (const path of [
      `/${name}`,
      `/deliveries/${name}`,
      `/events/${name}`,
      `/endpoints/${name}/${name}`,
      `/workspaces/${name}`,
    ])
      faults.push(...(await faultsAt(window, path, isRefusal)))
  }
  expect(faults).toEqual([])
})

/** What happens at an address that must not. */
async function faultsAt(
  { page, faults }: Visitor,
  path: string,
  isExpected: (fault: string) => boolean = () => false,
): Promise<string[]> {
  await page.goto(installation.url + path)
  const found = faults().filter((fault) => !isExpected(fault))
  if (await page.evaluate(() => 'hacked' in globalThis)) found.push('a script ran')
  const sideways = await sidewaysPixels(page)
  if (sideways > 0) found.push(`${sideways} pixels too wide: ${await widestIn(page)}`)
  return found.map((fault) => `${decodeURIComponent(path).slice(0, 200)}: ${fault}`)
}

/** That a page is refused is no fault of it. */
function isRefusal(fault: string): boolean {
  return /the server responded with a status of (400|404)/.test(fault)
}

/** The innermost elements that reach over the edge of the window. */
async function widestIn(page: Visitor['page']): Promise<string> {
  return page.evaluate(() => {
    const isWide = (element: Element): boolean =>
      element.getBoundingClientRect().right > document.documentElement.clientWidth + 1
    const nameOf = ({ tagName, className }: Element): string =>
      `${tagName.toLowerCase()}${typeof className === 'string' && className !== '' ? `.${className.replaceAll(' ', '.')}` : ''}`
    const innermost = [...document.querySelectorAll('body *:not(svg *)')].filter(
      (element) => isWide(element) && ![...element.children].some(isWide),
    )
    const paths = innermost.map((element) => {
      const path = []
      for (let at: Element | null = element; at && at !== document.body; at = at.parentElement) path.unshift(nameOf(at))
      return path.slice(-5).join(' > ')
    })
    return [...new Set(paths)].join(', ')
  })
}

function namesIn(path: string, html: string): string[] {
  const fields = [...html.matchAll(/<(?:input|select)[^>]* name="([^"]+)"/g)].map(([, name = '']) => name)
  return [...new URLSearchParams(path.split('?')[1]).keys(), ...fields]
}
