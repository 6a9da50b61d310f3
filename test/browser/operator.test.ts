// An operator looks for a failed delivery, as somebody does whose customer has called.
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launchChromium } from './chromium.ts'
import { type Installation, type StoryFile, openInstallation, writeStoryFile } from './installation.ts'
import { openWindow } from './visitor.ts'

let browser: Browser
let story: StoryFile
let installation: Installation

beforeAll(async () => {
  story = await writeStoryFile()
  installation = await openInstallation(story)
  browser = await launchChromium()
})

afterAll(async () => {
  await browser?.close()
  await installation?.stop()
  story?.remove()
})

it('finds a failed delivery from the overview, reads why, replays it, and sees it delivered without a reload', async () => {
  const { page, faults } = await openWindow(browser)
  await page.goto(installation.url)
  await page.locator('dl.figs').getByText('Failed').locator('xpath=..').getByRole('link').click()
  await page.waitForURL('**/deliveries?*')
  await page.locator('table.rows td.a a', { hasText: 'Failed' }).first().click()

  const heading = page.locator('.head')
  await heading.getByText('Failed').waitFor()
  await expect(page.locator('.note.bad').innerText()).resolves.toContain('401 Unauthorized')
  await expect(page.locator('main').innerText()).resolves.toContain('No signature matches the expected one.')

  await page.getByRole('button', { name: 'Replay', exact: true }).click()
  await heading.locator('.status.pending, .status.sending').waitFor()
  await page.evaluate(() => document.documentElement.setAttribute('data-not-reloaded', ''))
  await installation.start()
  await heading.getByText('Delivered').waitFor()
  expect(await page.locator('html[data-not-reloaded]').count()).toBe(1)
  expect(story.receivers.requests.filter(({ path }) => path === story.pathOf('refusing'))).not.toEqual([])
  expect(faults()).toEqual([])
})
