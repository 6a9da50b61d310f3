import { expect, it } from 'vitest'
import { findChromium } from './chromium.ts'

it('a machine without a Chromium is told how to get one', async () => {
  await expect(findChromium({ PATH: '/nowhere' })).rejects.toThrow(
    'pnpm test:browser needs a Chromium, and found none (chromium, chromium-browser, google-chrome). Install one',
  )
})

it('KEEPSEND_CHROMIUM goes before the system, and must be a file', async () => {
  expect(await findChromium({ KEEPSEND_CHROMIUM: process.execPath })).toBe(process.execPath)
  await expect(findChromium({ KEEPSEND_CHROMIUM: '/nowhere/chromium' })).rejects.toThrow('found /nowhere/chromium')
})
