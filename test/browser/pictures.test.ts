// Pictures of every page, to look at, in a folder that git ignores; and those of docs/pictures, which README.md shows. The story
// stands still at one time, so that two runs differ only in random ids.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { PORTAL_PAGES } from '../../packages/dashboard/src/lib/portal/pages.ts'
import { launchChromium } from './chromium.ts'
import { stopClock, writeStoryFile } from './installation.ts'
import { withFewColours } from './palette.ts'
import { openPortalInstallation } from './portal.ts'
import { type FoundPage, oneOfEachPattern, oneOfEachShape, walk } from './site.ts'
import { openWindow } from './visitor.ts'

const FOLDER = join(import.meta.dirname, 'pictures')
const SHOWN_FOLDER = join(import.meta.dirname, '../../docs/pictures')
const NOW = Date.UTC(2026, 9, 6, 14, 32, 8)
const THEMES = ['light', 'dark'] as const
const SIZES = [
  { width: 1280, height: 800 },
  { width: 360, height: 740 },
]

vi.useFakeTimers({ toFake: ['Date'], now: NOW })
const story = await writeStoryFile(NOW, 'named')
stopClock(story.file, NOW)
const installation = await openPortalInstallation(story)
const browser = await launchChromium()
const pages = oneOfEachShape(await walk(installation.url))
const cookie = await installation.cookieOf('lumen-clinic')
const PORTAL_PATTERNS = PORTAL_PAGES.map(({ path }) => path)
const portalPages = oneOfEachPattern(await walk(installation.portalUrl, PORTAL_PATTERNS, { cookie }))

/** The pages that README.md shows. */
const SHOWN: Readonly<Record<string, () => string>> = {
  overview: () => '',
  deliveries: () => '/deliveries',
  'failed-delivery': () => pathOf(({ pattern, html }) => pattern === '/deliveries/:id' && html.includes('"note bad"')),
  endpoint: () => `/endpoints/nimbus-labs/${story.ids.silent}`,
  problems: () => '/problems',
  replay: () => pathOf(({ pattern, html }) => pattern === '/replays/:id' && html.includes('value="pause"')),
}

beforeAll(() => {
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER, { recursive: true })
})

afterAll(async () => {
  await browser.close()
  await installation.stop()
  story.remove()
  vi.useRealTimers()
})

it.each(oneOfEachPattern(pages))('a picture of $pattern, $path', async ({ path, pattern }) => {
  const { page } = await openWindow(browser)
  expect((await page.goto(installation.url + path))?.status()).toBe(200)
  await takeAll(page, nameOf(pattern))
})

it.each(portalPages)('a picture of the portal’s $pattern, $path', async ({ path, pattern }) => {
  const { page } = await openWindow(browser)
  // Without the expiry of a link: the story's time is in the past, and Chromium has its own clock.
  const [name = '', value = ''] = cookie.split('=')
  await page.context().addCookies([{ name, value, url: installation.portalUrl }])
  expect((await page.goto(installation.portalUrl + path))?.status()).toBe(200)
  await takeAll(page, `portal-${nameOf(pattern)}`)
})

const nameOf = (pattern: string): string => pattern.replace(/[^\w]+/g, '-').slice(1, 60) || 'first'

async function takeAll(page: Page, name: string): Promise<void> {
  for (const size of SIZES) {
    for (const theme of THEMES)
      writeFileSync(
        join(FOLDER, `${name}-${size.width}-${theme}.png`),
        await takePicture(page, { size, theme, isWhole: true }),
      )
  }
}

it.each(Object.keys(SHOWN))('README.md has a picture of %s', async (name) => {
  const { page } = await openWindow(browser)
  await page.goto(installation.url + (SHOWN[name]?.() ?? ''))
  for (const theme of THEMES) {
    const file = join(SHOWN_FOLDER, `${name}-${theme}.png`)
    const png = await takePicture(page, { size: { width: 1280, height: 800 }, theme, isWhole: false })
    if (process.env['KEEPSEND_PICTURES'] !== undefined) {
      mkdirSync(SHOWN_FOLDER, { recursive: true })
      writeFileSync(file, withFewColours(png))
    }
    expect(existsSync(file), `${file}: KEEPSEND_PICTURES=1 pnpm test:browser pictures makes it`).toBe(true)
  }
})

interface Shot {
  size: { width: number; height: number }
  theme: (typeof THEMES)[number]
  isWhole: boolean
}

async function takePicture(page: Page, { size, theme, isWhole }: Shot): Promise<Buffer> {
  await page.setViewportSize(size)
  await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
  return page.screenshot({ fullPage: isWhole, animations: 'disabled', caret: 'hide' })
}

function pathOf(isIt: (page: FoundPage) => boolean): string {
  const found = pages.find(isIt)
  if (!found) throw new Error('the story has no such page')
  return found.path
}
