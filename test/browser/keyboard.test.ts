// The keyboard alone. The keys of lists are in script.test.ts.
import type { Page } from 'playwright-core'
import { afterAll, describe, expect, it } from 'vitest'
import { launchChromium } from './chromium.ts'
import { openInstallation, writeStoryFile } from './installation.ts'
import { oneOfEachPattern, walk } from './site.ts'
import { openWindow } from './visitor.ts'

const story = await writeStoryFile()
const installation = await openInstallation(story)
const browser = await launchChromium()
const pages = await walk(installation.url)

afterAll(async () => {
  await browser.close()
  await installation.stop()
  story.remove()
})

describe.each(oneOfEachPattern(pages))('$pattern', ({ path }) => {
  it('is reached by Tab in the order of the page, each element with a visible focus', async () => {
    const { page } = await openWindow(browser)
    await page.goto(installation.url + path)
    const stops = await tabStops(page)
    expect(stops.found.filter(({ isVisible }) => !isVisible)).toEqual([])
    expect(stops.found.map(({ at }) => at)).toEqual(stops.expected)
  })
})

it('the first Tab shows a link that skips the navigation', async () => {
  const { page } = await openWindow(browser)
  await page.goto(installation.url)
  await page.keyboard.press('Tab')
  const link = page.locator('a.skip')
  expect(await link.evaluate((element) => element === document.activeElement)).toBe(true)
  const box = await link.boundingBox()
  expect(box && box.x >= 0 && box.y >= 0 && box.width > 20 && box.height > 20).toBe(true)
  await page.keyboard.press('Enter')
  await page.keyboard.press('Tab')
  expect(await page.evaluate(() => document.activeElement?.closest('main') !== null)).toBe(true)
})

const FOCUSABLE = 'a[href], button, input, select, textarea, summary, [tabindex]'

interface Stop {
  /** Its place among the elements that can have the focus. */
  at: number
  name: string
  isVisible: boolean
}

/** Presses Tab from the first element to the last. */
async function tabStops(page: Page): Promise<{ found: Stop[]; expected: number[] }> {
  const expected = await page.evaluate((selector) => {
    const all = [...document.querySelectorAll<HTMLElement>(selector)]
    const canStop = (element: HTMLElement): boolean =>
      element.tabIndex >= 0 &&
      !element.matches(':disabled, [type=hidden]') &&
      element.checkVisibility({ visibilityProperty: true }) &&
      // Of radio buttons of one name only the chosen one is a stop.
      !(element instanceof HTMLInputElement && element.type === 'radio' && !element.checked)
    return all.flatMap((element, at) => (canStop(element) ? [at] : []))
  }, FOCUSABLE)
  const found: Stop[] = []
  for (;;) {
    await page.keyboard.press('Tab')
    const stop = await page.evaluate((selector) => {
      const element = document.activeElement
      if (!element || element === document.body) return null
      const at = [...document.querySelectorAll(selector)].indexOf(element)
      const { outlineStyle, outlineWidth } = getComputedStyle(element)
      const { width, height } = element.getBoundingClientRect()
      const isVisible = outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2 && width > 1 && height > 1
      return { at, name: element.outerHTML.slice(0, 120), isVisible }
    }, FOCUSABLE)
    if (stop === null || found.length > expected.length) return { found, expected }
    // A field of a date and time has a stop for each of its parts.
    if (stop.at !== found.at(-1)?.at) found.push(stop)
  }
}
