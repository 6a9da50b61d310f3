// What the script of the pages adds: pages that move by themselves, and the keys of lists.
import type { Page } from 'playwright-core'
import { afterAll, describe, expect, it } from 'vitest'
import { launchChromium } from './chromium.ts'
import { openInstallation, writeStoryFile } from './installation.ts'
import { openWindow } from './visitor.ts'

const MINUTE_MS = 60_000

const story = await writeStoryFile()
const installation = await openInstallation(story)
const browser = await launchChromium()

afterAll(async () => {
  await browser.close()
  await installation.stop()
  story.remove()
})

describe('the overview', () => {
  /** The overview in a window whose clock stands still, and the looks of its script since the last call. */
  async function openOverview() {
    const { page } = await openWindow(browser)
    await page.clock.install()
    await page.goto(installation.url)
    let looks = 0
    page.on('request', () => looks++)
    const taken = (): number => {
      const since = looks
      looks = 0
      return since
    }
    return { page, taken }
  }

  const show = (page: Page, isShown: boolean) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden })
      document.dispatchEvent(new Event('visibilitychange'))
    }, !isShown)

  it('looks again while it is shown, not in the background, and at once when it is shown again', async () => {
    const { page, taken } = await openOverview()
    await page.clock.runFor(MINUTE_MS)
    expect(taken()).toBeGreaterThan(0)
    await show(page, false)
    await page.waitForLoadState('networkidle')
    taken()
    await page.clock.runFor(MINUTE_MS)
    expect(taken()).toBe(0)
    await show(page, true)
    await expect.poll(taken).toBe(1)
  })

  it('looks no more after "Pause"', async () => {
    const { page, taken } = await openOverview()
    await page.click('[data-pause]')
    await page.clock.runFor(MINUTE_MS)
    expect(taken()).toBe(0)
  })
})

describe('the keys of a list', () => {
  async function openList() {
    const { page } = await openWindow(browser)
    await page.goto(`${installation.url}/deliveries?time=30d`)
    /** The number of the row whose link has the focus. */
    const row = () =>
      page.evaluate(() =>
        [...document.querySelectorAll('main .rows td.a a')].indexOf(document.activeElement as Element),
      )
    return { page, row }
  }

  it('move through rows, choose one, open one and find', async () => {
    const { page, row } = await openList()
    const rows: number[] = []
    for (const key of ['j', 'j', 'k', 'k', 'j']) {
      await page.keyboard.press(key)
      rows.push(await row())
    }
    expect(rows).toEqual([0, 1, 0, 0, 1])
    await page.keyboard.press('x')
    expect(await page.locator('tbody :checked').count()).toBe(1)
    // `r` leads to the action, which Enter alone confirms.
    await page.keyboard.press('r')
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('BUTTON')
    expect(page.url()).toContain('/deliveries?')
    await page.keyboard.press('/')
    await page.keyboard.type('jjx')
    expect(await page.inputValue('input[type=search]')).toBe('jjx')
    expect(await page.locator('tbody :checked').count()).toBe(1)
  })

  it('open the page of a row with Enter, and the list of keys with "?"', async () => {
    const { page } = await openList()
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/deliveries\/evt_/)
    await page.keyboard.press('?')
    await page.waitForURL(/\/keys/)
    expect(await page.locator('main kbd').count()).toBeGreaterThan(5)
  })

  it('do nothing once they are switched off', async () => {
    const { page, row } = await openList()
    await page.goto(`${installation.url}/preferences`)
    await page.selectOption('#keys', 'off')
    await page.click('main button[type=submit], main form button')
    await page.goto(`${installation.url}/deliveries?time=30d`)
    await page.keyboard.press('j')
    expect(await row()).toBe(-1)
  })
})
