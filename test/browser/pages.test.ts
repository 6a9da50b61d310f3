// Every page that a link leads to, in a window.
import { gzipSync } from 'node:zlib'
import { afterAll, expect, it } from 'vitest'
import { SCRIPT, STYLESHEET } from '../../packages/dashboard/src/lib/assets/embedded.ts'
import { launchChromium } from './chromium.ts'
import { openInstallation, writeStoryFile } from './installation.ts'
import { lookAt, pagesToLookAt } from './look.ts'
import { PATTERNS, walk } from './site.ts'
import { openWindow } from './visitor.ts'

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

it.each(pagesToLookAt(pages))(
  '$pattern, $path: no violation of WCAG, no fault, no sideways scrolling',
  async ({ path, isFirst }) => {
    const { bytes, ...look } = await lookAt(await openWindow(browser), installation.url + path, { isFirst })
    expect(look).toEqual({ violations: {}, faults: [], sideways: 0 })
    expect(bytes).toBeLessThanOrEqual(MOST_BYTES)
  },
)
