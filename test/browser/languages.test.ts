// The pages in the languages whose words are longer than the English ones.
import { afterAll, expect, it } from 'vitest'
import { PORTAL_PAGES } from '../../packages/dashboard/src/lib/portal/pages.ts'
import { launchChromium } from './chromium.ts'
import { writeStoryFile } from './installation.ts'
import { openPortalInstallation } from './portal.ts'
import { oneOfEachPattern, walk } from './site.ts'
import { openWindow, sidewaysPixels } from './visitor.ts'

const WORKSPACE = 'lumen-clinic'
const PHONE = { width: 360, height: 740 }

const story = await writeStoryFile()
const installation = await openPortalInstallation(story)
const browser = await launchChromium()
const cookie = await installation.cookieOf(WORKSPACE)
const operatorPages = await walk(installation.url)
const portalPages = await walk(
  installation.portalUrl,
  PORTAL_PAGES.map(({ path }) => path),
  { cookie },
)
const pages = [
  ...oneOfEachPattern(operatorPages).map(({ path }) => installation.url + path),
  ...oneOfEachPattern(portalPages).map(({ path }) => installation.portalUrl + path),
]

afterAll(async () => {
  await browser.close()
  await installation.stop()
  story.remove()
})

it.each(['de', 'es'])('%s: no page is wider than a phone', async (locale) => {
  const { page } = await openWindow(browser, { locale, viewport: PHONE })
  await page.goto(await installation.linkTo(WORKSPACE, 'many'))
  for (const url of pages) {
    await page.goto(url)
    expect(await page.getAttribute('html', 'lang'), url).toBe(locale)
    expect(await sidewaysPixels(page), url).toBe(0)
  }
})
