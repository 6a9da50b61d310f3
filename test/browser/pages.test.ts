// Every page that a link leads to, in a window.
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { SCRIPT, STYLESHEET } from '../../packages/dashboard/src/lib/assets/embedded.ts'
import { violationsOf } from './accessibility.ts'
import { launchChromium } from './chromium.ts'
import { openInstallation, writeStoryFile } from './installation.ts'
import { PATTERNS, oneOfEachShape, walk } from './site.ts'
import { openWindow, sidewaysPixels } from './visitor.ts'

const MOST_BYTES = 60_000
const MOST_ASSET_BYTES = 8192

const story = await writeStoryFile()
const installation = await openInstallation(story)
const browser = await launchChromium()
const pages = await walk(installation.url)

afterAll(async () => {
  await browser.close()
  await installation.stop()
  story.remove()
})

it('links lead to each page of the list', () => {
  const found = new Set(pages.map(({ pattern }) => pattern))
  expect(PATTERNS.filter((pattern) => !found.has(pattern))).toEqual([])
})

it.each([STYLESHEET, SCRIPT])('$name is at most 8 kB, compressed', ({ text }) => {
  expect(gzipSync(text).length).toBeLessThanOrEqual(MOST_ASSET_BYTES)
})

describe.each(oneOfEachShape(pages))('$pattern, $path', ({ path }) => {
  it('has no violation of WCAG in light and dark, wide and narrow, no fault, and no sideways scrolling', async () => {
    const { page, faults, transferred } = await openWindow(browser)
    await page.goto(installation.url + path)
    const bytes = await transferred()
    const found: Record<string, unknown> = {}
    for (const [width, height] of [
      [1280, 900],
      [390, 844],
    ] as const) {
      await page.setViewportSize({ width, height })
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme })
        const violations = await violationsOf(page, colorScheme === 'light' ? 'all' : 'colours')
        if (violations.length > 0) found[`${width} ${colorScheme}`] = violations
      }
    }
    await page.setViewportSize({ width: 360, height: 740 })
    const sideways = await sidewaysPixels(page)
    expect({ found, faults: faults(), sideways }).toEqual({ found: {}, faults: [], sideways: 0 })
    expect(bytes).toBeLessThanOrEqual(MOST_BYTES)
  })
})
