// Every page of the portal that a link leads to, in a window.
import { afterAll, expect, it } from 'vitest'
import { PORTAL_PAGES } from '../../packages/dashboard/src/lib/portal/pages.ts'
import { launchChromium } from './chromium.ts'
import { writeStoryFile } from './installation.ts'
import { lookAt, pagesToLookAt } from './look.ts'
import { openPortalInstallation } from './portal.ts'
import { walk } from './site.ts'
import { openWindow } from './visitor.ts'

const PATTERNS = PORTAL_PAGES.map(({ path }) => path)
const WORKSPACE = 'lumen-clinic'
const MOST_BYTES = 60_000

const story = await writeStoryFile()
const installation = await openPortalInstallation(story)
const browser = await launchChromium()
const cookie = await installation.cookieOf(WORKSPACE)
const pages = await walk(installation.portalUrl, PATTERNS, { cookie })

afterAll(async () => {
  await browser.close()
  await installation.stop()
  story.remove()
})

it.each(pagesToLookAt(pages))(
  '$pattern, $path: no violation of WCAG, no fault, no sideways scrolling',
  async ({ path, isFirst }) => {
    const visitor = await openWindow(browser)
    await visitor.page.goto(await installation.linkTo(WORKSPACE, 'many'))
    await visitor.transferred()
    const { bytes, ...look } = await lookAt(visitor, installation.portalUrl + path, { isFirst })
    expect(look).toEqual({ violations: {}, faults: [], sideways: 0 })
    expect(bytes).toBeLessThanOrEqual(MOST_BYTES)
  },
)
