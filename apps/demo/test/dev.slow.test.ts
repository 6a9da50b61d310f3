import { expect, it } from 'vitest'
import { expectStory, startDev } from './dev-process.ts'

const PATIENCE_MS = 150_000

it(
  'pnpm dev prints its links first, shows a story that goes on, and ends without a trace',
  { timeout: 2 * PATIENCE_MS },
  async () => {
    const dev = await startDev('dev.ts', PATIENCE_MS)
    expect(dev.links).toEqual([
      ["Operator's dashboard", expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/admin\/sign-in\/[\w-]{32}$/)],
      ["Customer's portal", expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/portal\/enter\/[\w-]+$/)],
    ])

    expectStory(await dev.walkDashboard())
    const portal = await dev.openPortal()
    expect([portal.status, portal.html.includes('bluebird-inbox')]).toEqual([200, true])

    const before = await dev.verified('juniper-audit')
    await expect.poll(() => dev.verified('juniper-audit'), { timeout: PATIENCE_MS }).toBeGreaterThan(before + 2)
    await expect.poll(() => dev.verified('bluebird-archive'), { timeout: PATIENCE_MS }).toBeGreaterThan(0)

    expect(await dev.interrupt()).toBe(0)
    expect(dev.complaints()).toBe('')
  },
)
