import { expect, it } from 'vitest'
import { expectStory, startDev } from './dev-process.ts'

const PATIENCE_MS = 150_000

it('pnpm dev prints its links first, shows a story that goes on, and ends without a trace', async () => {
  const dev = await startDev('dev.ts', PATIENCE_MS)
  expect(dev.links).toEqual([
    ["Operator's dashboard", expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/admin\/sign-in\/[\w-]{32}$/)],
  ])

  expectStory(await dev.walk(dev.links[0]?.[1] ?? ''))

  const before = await dev.verified('juniper-audit')
  await expect.poll(() => dev.verified('juniper-audit'), { timeout: PATIENCE_MS }).toBeGreaterThan(before + 2)
  await expect.poll(() => dev.verified('bluebird-archive'), { timeout: PATIENCE_MS }).toBeGreaterThan(0)

  expect(await dev.interrupt()).toBe(0)
  expect(dev.complaints()).toBe('')
})
